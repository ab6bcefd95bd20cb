"""Tests the sentences that describe events: the test vectors that the viewer's tests also read, the built-in templates,
and invalid templates.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from auditlane.contract.sentence import ALLOWED, LANGUAGES, Templates, grammar_json, sentence, template_problem
from auditlane.contract.vocabulary import ACTIONS
from auditlane.contract.vocabulary.labels import LABELS
from auditlane.contract.vocabulary.sentences import GRAMMAR, SENTENCES

SHARED = Path(__file__).parents[2] / "support" / "sentences"
VECTORS = json.loads((SHARED / "vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["why"] for vector in VECTORS])
def test_a_sentence_is_as_the_shared_vectors_state(vector: dict[str, Any]) -> None:
    texts = vector.get("templates", {})
    for language in LANGUAGES:
        templates = Templates(*(texts.get(name, {}).get(language) for name in ("label", "sentence", "attempted")))
        assert sentence(vector["event"], language, lambda _, found=templates: found) == vector[language]


def test_the_viewers_tests_use_the_words_of_this_version() -> None:
    shared = json.loads((SHARED / "grammar.json").read_text())
    assert shared == json.loads(json.dumps(grammar_json())), (
        "Write it again: python -c 'import json; from auditlane.contract.sentence import grammar_json; "
        "print(json.dumps(grammar_json(), ensure_ascii=False, sort_keys=True))' > tests/support/sentences/grammar.json"
    )


def test_the_settings_page_names_the_same_placeholders() -> None:
    form = (SHARED.parents[2] / "consumers" / "viewer" / "src" / "model" / "action-form.ts").read_text()
    assert f'"{ALLOWED}"' in form


def test_every_known_action_has_a_sentence_of_its_own_in_both_languages() -> None:
    assert SENTENCES.keys() <= LABELS.keys()
    for action in ACTIONS.values():
        for language, grammar in GRAMMAR.items():
            known = SENTENCES.get(action.name)
            texts = Templates(done=getattr(known.done, language) if known else None)
            event = {"action": action.name, "outcome": "success", "actor_name": "Jane", "resource": action.resource}
            assert texts.done or action.participle in grammar.verbs, action.name
            assert 8 <= len(sentence(event, language, lambda _, found=texts: found)) <= 90


def test_built_in_templates_are_valid() -> None:
    built_in = [text for found in SENTENCES.values() for text in (found.done, found.attempted)]
    of_verbs = [pair for grammar in GRAMMAR.values() for pair in (*grammar.verbs.values(), grammar.neutral)]
    templates = [
        *(text for label in built_in for text in (label.en, label.de)),
        *(text for pair in of_verbs for text in pair),
    ]
    assert [template for template in templates if template_problem(template)] == []


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("{actr} did it", "{actr}"),
        ("{metadata} did it", "{metadata}"),
        ("{metadata.} did it", "{metadata.}"),
        ("{tenant_id}", "{tenant_id}"),
        ("{}", "{}"),
        ("{actor", "brace"),
        ("{actor}}", "brace"),
        ("{{actor}}", "brace"),
    ],
)
def test_an_invalid_template_is_explained_with_the_placeholders(template: str, named: str) -> None:
    problem = template_problem(template)
    assert problem is not None
    assert named in problem
    assert "{actor}, {object}, {action}" in problem
    assert "{metadata.<key>}" in problem


def test_a_template_may_have_any_key_of_metadata() -> None:
    assert template_problem("{actor} {metadata.Some key.1} {fields.x}") is None
