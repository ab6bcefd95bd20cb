"""The query language of `query=`. `grammar` parses the text, `parser` resolves fields and types, and `tree` represents
the meaning of a query.
"""
