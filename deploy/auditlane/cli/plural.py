"""Numbers in sentences."""

from __future__ import annotations


def number_of(count: int, noun: str) -> str:
    """`1 letter`, `2,000 letters`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
