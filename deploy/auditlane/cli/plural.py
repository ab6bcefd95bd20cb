"""Numbers in sentences."""

from __future__ import annotations


def number_of(count: int, noun: str) -> str:
    """Format a count with its noun: `1 event`, `2,000 events`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
