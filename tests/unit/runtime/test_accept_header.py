"""Tests content negotiation: which media type is chosen, given the weights in an Accept header."""

from __future__ import annotations

import pytest

from auditlane.runtime.accept_header import by_preference


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("", [""]),
        ("de", ["de"]),
        ("de-CH, EN;q=0.8", ["de-ch", "en"]),
        ("text/html;q=0.5, application/json", ["application/json", "text/html"]),
        ("text/html;level=1;q=0.5, */*;q=0.1", ["text/html", "*/*"]),
        ("a;q=0.5, b;q=0.5", ["a", "b"]),  # equal weights: the order in the header decides
        ("a;q=0, b", ["b"]),
        ("a;q=, b;q=x, c;q=nan, d;q=-1, e; q=0.1", ["e"]),
        ("a;charset=utf-8", ["a"]),
    ],
)
def test_values_are_ordered_by_weight_and_unacceptable_ones_left_out(header: str, values: list[str]) -> None:
    assert by_preference(header) == values
