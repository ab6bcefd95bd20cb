"""Validates ranges of messages against their contracts: rows to store, and rejections."""
