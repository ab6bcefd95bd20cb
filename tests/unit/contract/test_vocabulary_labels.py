"""Tests that every known action has a unique label in both languages."""

from __future__ import annotations

from collections import Counter

from auditlane.contract.vocabulary import ACTIONS
from auditlane.contract.vocabulary.labels import LABELS


def test_every_known_action_has_a_label_in_both_languages() -> None:
    assert LABELS.keys() == ACTIONS.keys()
    assert [name for name, label in LABELS.items() if not label.en.strip() or not label.de.strip()] == []


def test_labels_are_short_and_distinct() -> None:
    for language in ("en", "de"):
        texts = [getattr(label, language) for label in LABELS.values()]
        assert [text for text, count in Counter(texts).items() if count > 1] == []
        assert [text for text in texts if len(text) > 48] == []
