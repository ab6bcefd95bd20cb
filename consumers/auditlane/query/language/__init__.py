"""The query language of `query=`: `grammar` reads the text, `parser` resolves fields and types, `tree` represents the
meaning.
"""
