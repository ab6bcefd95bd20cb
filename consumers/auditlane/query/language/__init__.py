"""The query language: text to a typed tree, the tree to text, the tree to SQL conditions."""
