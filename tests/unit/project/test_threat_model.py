"""Tests that the threat model names only tests that exist, and at least one for each action that it says an attacker
cannot perform.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MODEL = ROOT / "docs" / "internals" / "threat-model.md"
TEXT = MODEL.read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_named_test_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = {one.name for one in ast.walk(tree) if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))}
    assert name in functions


def test_everything_an_attacker_cannot_do_is_tested() -> None:
    tables = re.findall(r"^\| cannot \|.*\n\|.*\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()]
    assert len(lines) > 20
    assert [line for line in lines if "::test_" not in line] == []


@pytest.mark.parametrize(
    "actor",
    [
        "A tenant's user",
        "A tenant's admin",
        "A vendor's service",
        "A vendor's operator",
        "A local user",
        "A Kafka writer",
        "A ClickHouse writer",
    ],
)
def test_every_actor_has_a_chapter(actor: str) -> None:
    assert f"\n## {actor}\n" in TEXT


def test_the_security_policy_links_to_the_threat_model() -> None:
    assert "docs/internals/threat-model.md" in (ROOT / "SECURITY.md").read_text("utf-8")
