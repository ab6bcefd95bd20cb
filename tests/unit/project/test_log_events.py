"""Tests that the list of log events contains exactly the events that are logged, with their levels."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditlane.runtime.log_events import LOG_EVENTS

ROOT = Path(__file__).parents[3]
LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}
# This module logs sentences instead of events.
OTHERS = re.compile(r"^_?log(?:ger)? *(?:: *\w+)? *= *logging\.getLogger", re.MULTILINE)
LOGGER = re.compile(r"(?:.*\.)?_?(?:\w+_)?log(?:ger)?|(?:log\.)?get\(.*\)")
SAMPLING = "log_sampling.py"  # this module logs event names that its callers pass
RELAY = """
class A:
    def _say(self, event, why):
        self._log.warning(event, why=why)

    def act(self):
        self._say("a.b", 1)
"""


def logged(source: str) -> Iterator[tuple[str, str]]:
    """Yield the name and level of each event that a module logs, including those logged by functions that take the name
    as their first argument.

    Raises AssertionError if a name is neither a literal nor such an argument.
    """
    tree = ast.parse(source)
    relays: dict[str, str] = {}
    passed_on: set[ast.Call] = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            arguments = [one.arg for one in function.args.args if one.arg != "self"]
            for call in _calls(function):
                level, name = _level(call), call.args[0]
                if level and isinstance(name, ast.Name) and arguments[:1] == [name.id]:
                    relays[function.name] = level
                    passed_on.add(call)
    for call in _calls(tree):
        assert isinstance(call.func, ast.Attribute)
        if call not in passed_on and (found := _level(call) or relays.get(call.func.attr)):
            assert isinstance(call.args[0], ast.Constant), f"line {call.lineno}: {ast.unparse(call)}"
            yield str(call.args[0].value), found


def _calls(within: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(within):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            yield node


def _level(call: ast.Call) -> str | None:
    assert isinstance(call.func, ast.Attribute)
    return LEVELS.get(call.func.attr) if LOGGER.fullmatch(ast.unparse(call.func.value)) else None


def modules() -> Iterator[Path]:
    for folder in ("schemas", "producers", "consumers", "deploy"):
        for path in (ROOT / folder / "auditlane").rglob("*.py"):
            if path.name != SAMPLING and not OTHERS.search(path.read_text()):
                yield path


def test_every_logged_event_is_listed_with_its_levels_and_no_other() -> None:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in modules():
        for name, level in logged(path.read_text()):
            found[name].add(level)
    assert found == {one.name: set(one.levels) for one in LOG_EVENTS}
    assert len(LOG_EVENTS) == len(found)


def test_names_have_one_form_and_meanings_are_sentences() -> None:
    for event in LOG_EVENTS:
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", event.name)
        assert event.meaning.endswith(".")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("self._log.info('a.b', n=1)", [("a.b", "info")]),
        ("get('x').exception('a.b')\nlog.get('x').error('c.d')", [("a.b", "error"), ("c.d", "error")]),
        ("self._sampled_log.warning('a.b', kind=1, now=2)", [("a.b", "warning")]),
        (RELAY, [("a.b", "warning")]),
        ("message.error()\nmath.log(2)\nresponse.info('x')", []),
    ],
)
def test_calls_of_every_form_are_found(source: str, expected: list[tuple[str, str]]) -> None:
    assert list(logged(source)) == expected


def test_a_computed_name_is_refused() -> None:
    with pytest.raises(AssertionError, match="line 1"):
        list(logged("self._log.info(f'a.{b}')"))
