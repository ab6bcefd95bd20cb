"""Validates ranges of messages against their contracts, by column: rows to store, and rejections.

`validator` decides which message is rejected and why; `checks` are its rules, `schema_cache` the contracts. `decoder`
decodes a batch, fast where it can; `strict_decoder` decides what the fast decoder cannot.
"""
