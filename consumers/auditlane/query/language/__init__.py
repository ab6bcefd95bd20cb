"""The search language: from text to a typed tree, from the tree to text and to SQL conditions."""
