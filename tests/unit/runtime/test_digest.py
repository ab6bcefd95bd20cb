"""Tests the size limits for text and JSON values. Oversized values are replaced by their size, SHA-256 and first
characters.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditlane.runtime.digest import digested, digested_list, json_text, shortened, size_of

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(max_size=20), inner, max_size=8),
    max_leaves=60,
)


def sha256(value: Any) -> str:
    return hashlib.sha256(json_text(value).encode(errors="replace")).hexdigest()


@given(st.text(st.characters()), st.integers(0, 300))
def test_text_never_exceeds_its_limit(text: str, most: int) -> None:
    found = shortened(text, most)
    assert len(found.encode()) <= most
    assert found == text or size_of(text) > most or not text.isprintable() or "?" in found


def test_long_text_keeps_its_beginning_its_size_and_its_digest() -> None:
    text = "é" * 500
    found = shortened(text, 300)
    assert found.startswith("é" * 50)
    assert found.endswith(f" … [1000 bytes, sha256 {hashlib.sha256(text.encode()).hexdigest()}]")


@given(JSON, st.sampled_from([600, 2_000, 12_000]))
def test_a_value_is_within_its_bound_or_untouched(value: Any, most: int) -> None:
    found = digested(value, most)
    assert size_of(json_text(found)) <= most
    assert json.loads(json_text(found)) is not NotImplemented
    if size_of(json_text(value)) <= most:
        assert found == value


def test_one_large_part_leaves_the_small_ones_unchanged() -> None:
    choices = [f"v{n:06}" for n in range(29_000)]
    found = digested({"name": "big", "type": "Enum", "rules": {"required": True, "oneOf": choices}}, 4_000)
    assert (found["name"], found["type"], found["rules"]["required"]) == ("big", "Enum", True)
    digest = found["rules"]["oneOf"]
    assert (digest["count"], digest["first"][:2]) == (29_000, ["v000000", "v000001"])
    assert (digest["sha256"], digest["bytes"]) == (sha256(choices), len(json_text(choices)))


def test_a_digested_list_is_a_list_that_names_the_summarized_entries() -> None:
    values = [{"field": f"f{n}", "values": {"displayName": [None, "x" * 400]}} for n in range(200)]
    found = digested_list(values, 12_000, name="field")
    assert size_of(json_text(found)) <= 12_000
    assert [one["field"] for one in found[:3]] == ["f0", "f1", "f2"]
    summary = found[-1]["digest"]
    assert (summary["count"], summary["sha256"]) == (200, sha256(values))
    assert summary["names"][:2] == ["f0", "f1"]
    assert len(summary["names"]) == 200
    assert digested_list(values[:2], 12_000, name="field") == values[:2]
