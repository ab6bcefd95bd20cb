"""Validates ranges of messages against their contracts, column by column. The result is rows to store and rejections.

`validator` decides which messages are rejected and why. `checks` contains its rules, and `schema_cache` the contracts.
`batch` represents a range as columns, with parsed frames, keys and signatures. `decoder` decodes it quickly where
possible, and `avro_binary` reads single datums strictly.
"""
