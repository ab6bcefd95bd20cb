"""Tests that the example of each problem in `openapi.json` quotes a message from the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from auditlane.server.openapi import error_examples

ROOT = Path(__file__).parents[3]
LITERAL = 12  # minimum number of characters; a shorter f-string would match too many texts
TEXTS = sorted(
    {text for problem in error_examples.PROBLEMS.values() for text in (problem["detail"], problem.get("fix"))} - {None}
)


def _pattern(node: ast.expr) -> str:
    """Return a regular expression that matches the strings in an expression. Parts that are not literals match
    anything.
    """
    if isinstance(node, ast.Constant):
        return re.escape(node.value) if isinstance(node.value, str) else ".+"
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_pattern, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _pattern(node.left) + _pattern(node.right)
    return ".+"


@cache
def patterns() -> list[re.Pattern[str]]:
    """Return a regular expression for each string in the code, except those in the examples."""
    return [re.compile(one) for one in set(_of_code()) if len(re.sub(r"\.\+|\\", "", one)) >= LITERAL]


def _of_code() -> Iterator[str]:
    for folder in ("schemas", "producers", "consumers", "deploy"):
        for path in (ROOT / folder / "auditlane").rglob("*.py"):
            if path != Path(error_examples.__file__):
                for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                    if isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp)):
                        yield _pattern(node)


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_of_an_example_is_one_of_the_code(text: str) -> None:
    assert any(pattern.fullmatch(text) for pattern in patterns())


def test_a_text_that_the_code_lacks_is_found() -> None:
    assert not any(pattern.fullmatch("The token does not verify.") for pattern in patterns())
