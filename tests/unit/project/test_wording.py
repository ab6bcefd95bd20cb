"""Tests that texts follow docs/style.md: they contain no banned phrase, and a function's docstring begins with a
verb.
"""

from __future__ import annotations

import ast
import os
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BANNED = re.compile(
    r"\banew\b|\bwho(?:m)?ever\b|\bsomebody\b|\b(?:go|goes|going|went) on\b|\bbe had\b|\bof ours\b|\bso long as\b"
    r"|\bso many\b(?! more)|\b(?:is|are|was|be) told\b|\bsays so\b|\bsays nothing\b|\bstands? still\b|\bwhat nobody\b"
    r"|\bsuch a one\b|\bwhat became of\b|\blest\b|\bthereof\b",
    re.IGNORECASE,
)
NO_VERB = re.compile(
    r"(?:all|another|an?|and|any|at|both|by|each|either|every|for|from|how|if|in|its|neither|none|no|of|on|one|only|our|that"
    r"|their|there|these|the|this|those|to|two|what|when|where|whether|which|whose|who|without|with)\b",
    re.IGNORECASE,
)
FOLDERS = ("schemas", "producers", "consumers", "deploy", "docs", "examples", "README.md", "CONTRIBUTING.md", "tests")
KINDS = {".py", ".ts", ".md", ".html", ".po"}
HERE = Path(__file__).resolve()


def _files(folder: str) -> Iterator[Path]:
    start = ROOT / folder
    if start.is_file():
        yield start
    for parent, folders, names in os.walk(start):
        folders[:] = sorted(set(folders) - {"node_modules", "static"})  # tens of thousands of third-party files
        for path in (Path(parent, name) for name in sorted(names)):
            if path.suffix in KINDS and path.name != "style.md" and path != HERE:
                yield path


def _python_texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and text of every comment, and of every string that contains a space."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    return _python_texts(path) if path.suffix == ".py" else enumerate(path.read_text().splitlines(), 1)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_text_uses_a_banned_phrase(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match.group()!r}"
        for path in _files(folder)
        for line, text in _texts(path)
        for match in BANNED.finditer(text)
    ]
    assert found == [], "docs/style.md lists what to write instead"


@pytest.mark.parametrize("folder", ["schemas", "producers", "consumers", "deploy", "tests/support"])
def test_docstrings_of_functions_begin_with_a_verb(folder: str) -> None:
    found = []
    for path in _files(folder):
        for node in ast.walk(ast.parse(path.read_text())) if path.suffix == ".py" else ():
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if any("property" in ast.unparse(decorator) for decorator in node.decorator_list):
                continue
            if first := NO_VERB.match(ast.get_docstring(node) or ""):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {first.group()}")
    assert found == [], "docs/style.md: a docstring begins with a verb"
