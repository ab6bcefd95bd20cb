"""One regular expression with one meaning in Python and in RE2, which the worker matches with.

The two share a syntax but not every meaning (`$` before a final newline, `\\s`, `(?i)`, `{,3}`). A pattern that uses
such a construct is refused or translated, so that the SDK at emit and the worker never disagree about a value.
"""

from __future__ import annotations

import importlib
import re
import warnings
from dataclasses import dataclass, field
from typing import Any, Final

LONGEST_PATTERN: Final = 1_000
LONGEST_VALUE: Final = 200  # code points that Python matches at emit; longer values are left to the worker
MOST_REPEATS: Final = (
    3  # open-ended ones; with more, or with one inside another, Python's backtracking may not end soon
)
_SPACE: Final = r"\t\n\f\r "  # RE2's \s; Python's has \v too
# An escape, a class, a group's beginning, a count, or one character.
_PIECE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P<\w+>|\(\?:|\(\?|\(|\{,|\{\d+(?:,\d*)?\}|.", re.DOTALL)
_ESCAPED_DIGIT: Final = frozenset("123456789")

try:
    _re2: Any = importlib.import_module("re2")
except ImportError:  # a service that only emits; registration runs where RE2 is
    _re2 = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """`text` as the contract has it. `python` is None where Python's backtracking could take long."""

    text: str
    python: re.Pattern[str] | None = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: Any) -> Pattern:
        """Raises ValueError, one sentence with what to write instead."""
        if not isinstance(text, str) or not 0 < len(text) <= LONGEST_PATTERN:
            raise ValueError(f"write a text of 1 to {LONGEST_PATTERN} characters.")
        translated, slow = _translate(text)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # Python warns of a syntax that it may read otherwise some day
                python = re.compile(translated, re.ASCII)
        except (re.error, Warning, OverflowError, RecursionError) as error:
            raise ValueError(f"Python's re says: {error}.") from error
        if _re2 is not None:
            options = _re2.Options()
            options.log_errors = False
            try:
                _re2.compile(text, options)
            except _re2.error as error:
                raise ValueError(f"RE2 says: {error}.") from error
        return cls(text, None if slow else python)

    @property
    def re2(self) -> str:
        """The RE2 expression that searches for the whole value."""
        return rf"\A(?:{self.text})\z"

    def matches(self, value: str) -> bool | None:
        """Whether the whole value matches; None when that is left to the worker."""
        if self.python is None or len(value) > LONGEST_VALUE:
            return None
        return self.python.fullmatch(value) is not None


def _translate(text: str) -> tuple[str, bool]:
    """(the same expression for Python, whether Python could be slow at it). Raises ValueError on what cannot agree."""
    out: list[str] = []
    repeats = 0
    busy = False  # whether the group closed last did
    groups = [False]  # of each open group: whether it repeats or chooses inside
    for piece in _PIECE.findall(text):
        after_busy = out[-1:] == [")"] and busy
        if piece == "(?":
            raise ValueError("write it without flags and look-arounds; only `(?:` and `(?P<name>` are understood.")
        if piece == "{,":
            raise ValueError("write `{0,n}` instead of `{,n}`.")
        if piece[0] == "(":
            groups.append(False)
        elif piece == ")" and len(groups) > 1:
            busy = groups.pop()
            groups[-1] |= busy
        elif piece in ("*", "+", "?", "|") or piece[0] == "{":
            groups[-1] = True
            if piece in ("*", "+") or "," in piece:
                repeats += 1
            if after_busy and piece not in ("?", "|"):
                repeats = MOST_REPEATS + 1
        out.append(_translated(piece))
    return "".join(out), repeats > MOST_REPEATS


def _translated(piece: str) -> str:
    if piece == "$":
        return r"\Z"
    if piece[0] == "\\":
        return _escape(piece, in_class=False)
    if piece[0] == "[":
        if "[:" in piece[1:]:
            raise ValueError(
                "write `[` before `:` in brackets as `\\[`; classes such as `[:alpha:]` are not understood."
            )
        return re.sub(r"\\.", lambda pair: _escape(pair[0], in_class=True), piece, flags=re.DOTALL)
    return piece


def _escape(pair: str, *, in_class: bool) -> str:
    letter = pair[1:]
    if letter in _ESCAPED_DIGIT:
        raise ValueError("write it without back-references and octal numbers.")
    if letter == "s":
        return _SPACE if in_class else f"[{_SPACE}]"
    if letter == "S":
        if in_class:
            raise ValueError(r"write `\S` outside of brackets only.")
        return f"[^{_SPACE}]"
    if letter == "B":
        raise ValueError(r"write it without `\B`.")
    return pair
