"""Formats numbers in sentences."""

from __future__ import annotations


def number_of(count: int, noun: str) -> str:
    """Format a count with its noun, as in `1 event` or `2,000 events`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
