"""Tests that the server and the viewer produce the same sentences for 100,000 generated events, in both languages."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from auditlane.contract.sentence import LANGUAGES, PLACEHOLDERS, Templates, sentence
from auditlane.contract.vocabulary.labels import LABELS
from auditlane.contract.vocabulary.sentences import GRAMMAR

VIEWER = Path(__file__).parents[2] / "consumers" / "viewer"
EVENTS = 100_000
ODD = [
    "",
    " ",
    "$&",
    "{actor}",
    "<b>x</b>",
    "a\n\tb",
    "مرحبا",
    "日本",
    "😀" * 201,
    "x" * 201,
    "__proto__",
    "İ",
    "\u00a0x",
]


@pytest.mark.long
def test_server_and_viewer_make_the_same_sentences(tmp_path: Path, node: list[str]) -> None:
    chance = random.Random(18)
    vectors = tmp_path / "sentences.jsonl"
    with vectors.open("w") as file:
        for _ in range(EVENTS):
            vector: dict[str, Any] = {"event": _event(chance), "templates": _templates(chance)}
            for language in LANGUAGES:
                of = (vector["templates"].get(name, {}).get(language) for name in ("label", "sentence", "attempted"))
                texts = Templates(*of)
                vector[language] = sentence(vector["event"], language, lambda _, texts=texts: texts)
            file.write(json.dumps(vector) + "\n")
    done = subprocess.run(
        [*node, "node_modules/vitest/vitest.mjs", "run", "test/sentence.test.ts"],
        cwd=VIEWER,
        env=os.environ | {"AUDITLANE_SENTENCES": str(vectors), "AUDITLANE_SENTENCES_COUNT": str(EVENTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-1_000:]


def _event(chance: random.Random) -> dict[str, Any]:
    verbs = [*GRAMMAR["en"].verbs, "flagged", "Deleted", "member_added"]
    nouns = [*GRAMMAR["en"].nouns, "general_ledger", "asset", "Series", *ODD]
    action = chance.choice([*LABELS, f"{chance.choice(nouns)}{chance.choice('.:/ _')}{chance.choice(verbs)}"])
    text = [None, "u-1", "Jane Cooper", "Q3 plan", *ODD]
    return {
        "action": action,
        "outcome": chance.choice(["success", "unknown", "failure", "denied"]),
        "actor_id": chance.choice(text[1:]),
        "actor_name": chance.choice(text),
        "actor_type": chance.choice(["user", "service", "api_key", "system", "anonymous", "constructor"]),
        "resource": chance.choice(nouns),
        "resource_id": chance.choice(text),
        "description": chance.choice(text),
        "on_behalf_of": chance.choice(text),
        "ip": chance.choice([None, "192.0.2.1"]),
        "source": chance.choice(["", "billing"]),
        "metadata": {chance.choice(["to", "Some key", "a.b"]): chance.choice(text[1:])},
        "fields": {chance.choice(["total", "constructor"]): chance.choice(text[1:])},
    }


def _templates(chance: random.Random) -> dict[str, dict[str, str]]:
    names = [*PLACEHOLDERS, "metadata.to", "metadata.Some key", "metadata.a.b", "metadata.__proto__", "fields.total"]
    pieces = [*(f"{{{name}}}" for name in names), " ", "  ", " to ", "(", ")", ",", "$1", "ü"]

    def text() -> str:
        return "".join(chance.choices(pieces, k=chance.randint(1, 8)))

    kinds = chance.sample(["label", "sentence", "attempted"], chance.randint(0, 3))
    return {kind: {language: text() for language in LANGUAGES} for kind in kinds}
