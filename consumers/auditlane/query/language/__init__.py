"""The query language of `query=`: `grammar` reads the text, `parser` types it, `tree` represents its meaning."""
