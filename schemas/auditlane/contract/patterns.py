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
LONGEST_VALUE: Final = 1_000  # code points that Python matches at emit; longer values are left to the worker
_SPACE: Final = r"\t\n\f\r "  # RE2's \s; Python's has \v too
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
    in_class = False
    repeats = 0
    groups: list[bool] = []  # of each open group: whether it repeats or chooses inside
    closed_busy = False  # the group just closed did
    at = 0
    while at < len(text):
        one = text[at]
        if one == "\\":
            out.append(_escape(text[at : at + 2], in_class=in_class))
            at, closed_busy = at + 2, False
            continue
        if in_class:
            in_class = one != "]" or out[-1] in ("[", "[^")
            out.append(one)
        elif one == "[":
            negated = text[at + 1 : at + 2] == "^"
            in_class, one = True, "[^" if negated else "["
            at += negated
            out.append(one)
        elif one == "(":
            if text[at + 1 : at + 2] == "?" and text[at + 2 : at + 3] != ":" and text[at + 2 : at + 4] != "P<":
                raise ValueError(
                    "write it without flags and look-arounds; of `(?…` only `(?:` and `(?P<name>` are understood."
                )
            groups.append(False)
            out.append(one)
        elif one == "$":
            out.append(r"\Z")
        else:
            if one == "{" and text[at + 1 : at + 2] == ",":
                raise ValueError("write `{0,n}` instead of `{,n}`.")
            if one in "*+{|?" and groups:
                groups[-1] = True
            if one in "*+{":
                repeats += one != "{" or "," in text[at:].split("}", 1)[0]
                if closed_busy:
                    repeats += 100
            out.append(one)
        if one == ")" and not in_class:
            closed_busy = groups.pop() if groups else False
            if closed_busy and groups:
                groups[-1] = True
        else:
            closed_busy = False
        at += 1
    return "".join(out), repeats > 2


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
