"""Parses content negotiation headers: Accept and Accept-Language (RFC 9110, 12.4.2)."""

from __future__ import annotations


def by_preference(header: str) -> list[str]:
    """Return the header's values in lower case, without parameters, most preferred first.

    A value without `q` has weight 1. Values with a weight of 0 or a malformed weight are omitted. An empty header
    counts as one empty value.
    """
    weighted: list[tuple[float, str]] = []
    for value in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in value.split(";"))
        quality = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
        try:
            weighted.append((float(quality), name))
        except ValueError:
            continue
    acceptable = [pair for pair in weighted if pair[0] > 0]
    return [name for _, name in sorted(acceptable, key=lambda pair: -pair[0])]
