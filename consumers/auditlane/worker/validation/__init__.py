"""Validates ranges of messages against their contracts, by column: rows to store, and rejections.

`validator` decides which message is rejected and why; `checks` has its rules, `schema_cache` the contracts. `batch` is
a range as columns, with frames, keys and signatures read. `decoder` decodes it, fast where possible; `avro_binary`
reads single datums strictly.
"""
