"""Regular expressions in contracts' rules, matched by RE2 only.

RE2 takes time proportional to the value's length times the size of the pattern's program, whatever the pattern. Both
are bounded when a contract is read. Patterns are never passed to Python's `re`, which can take exponential time. A
process without RE2, such as a service that only emits, leaves patterns to the gateway and the worker.
"""

from __future__ import annotations

import importlib
import os
import re
from dataclasses import dataclass, field
from typing import Any, Final

LONGEST_PATTERN: Final = 1_000  # characters
# Maximum number of instructions in RE2's program. In the worst case, RE2 takes 12 ns per instruction and byte of a
# value.
MOST_STATES: Final = 2_000
LONGEST_VALUE: Final = 4_096  # maximum length of a matched value: the upper limit for the pattern's `maxLength`
BYTES: Final = 4  # maximum size of a character in UTF-8
# Maximum work per event (6 ms), as states times bytes of the longest values, over all of a contract's patterns. It also
# bounds the worker, which validates everything written to Kafka, and so the delay of other tenants in a partition.
MOST_WORK: Final = 500_000
# An eighth of the memory of Arrow's RE2, so that every pattern that compiles here also compiles in the worker.
_MEMORY_BYTES: Final = 1 << 20
# An escape, a class, the start of a group, a count, or one character.
_PIECE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P<\w+>|\(\?:|\(\?|\{,|.", re.DOTALL)
# Constructs that differ between versions of RE2, which add syntax and update Unicode's tables.
_REFUSED_ESCAPES: Final = {
    "p": r"list the characters in brackets instead of `\p`.",
    "P": r"list the characters in brackets instead of `\P`.",
    "C": r"remove `\C`, which matches a single byte.",
    "Q": r"remove `\Q`.",
}

try:
    _re2: Any = importlib.import_module("re2")
except ImportError:  # not installed in a service that only emits
    _re2 = None

_forks = 0


def _after_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_after_fork)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern. `text` is the pattern as written in the contract. `states` is the size of its compiled program, or 0
    in a process without RE2.
    """

    text: str
    states: int = field(default=0, compare=False)
    _program: Any = field(default=None, compare=False, repr=False)
    # value of `_forks` when this process compiled the pattern
    _made_in: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, text: Any) -> Pattern:
        """Parse a pattern. Raises ValueError with a message that states what to write instead."""
        if not isinstance(text, str) or not 0 < len(text) <= LONGEST_PATTERN:
            raise ValueError(f"use a text of 1 to {LONGEST_PATTERN} characters.")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ValueError("remove the lone surrogate, which UTF-8 cannot encode.")
        if advice := _advice(text):
            raise ValueError(advice)
        if _re2 is None:
            return cls(text)
        _compiled(text)  # also compiled by itself: `a)|(?:b` is invalid, but would be valid in the outer group
        program = _compiled(_whole(text), captures=False)
        if program.programsize > MOST_STATES:
            raise ValueError(
                f"its program has {program.programsize} states (limit {MOST_STATES}); use fewer repetitions, and limit "
                "the length with `maxLength`."
            )
        return cls(text, program.programsize, program, _forks)

    @property
    def re2(self) -> str:
        """The RE2 expression that matches the whole value."""
        return _whole(self.text)

    def matches(self, value: str) -> bool | None:
        """Return whether the whole value matches, or None in a process without RE2. The caller limits the length of the
        value.
        """
        if self._program is None:
            return None
        if self._made_in != _forks:  # a thread of the parent may have held RE2's internal lock
            object.__setattr__(self, "_program", _compiled(_whole(self.text), captures=False))
            object.__setattr__(self, "_made_in", _forks)
        return self._program.match(value.encode()) is not None


def available() -> bool:
    """Return whether this process has RE2. Patterns can be neither registered nor matched without it."""
    return _re2 is not None


def _whole(text: str) -> str:
    return rf"\A(?:{text})\z"


def _compiled(text: str, *, captures: bool = True) -> Any:
    options = _re2.Options()
    options.log_errors = False
    options.never_capture = not captures
    options.max_mem = _MEMORY_BYTES
    try:
        return _re2.compile(text.encode(), options)
    except _re2.error as error:
        reason = error.args[0] if error.args else error
        raise ValueError(f"RE2 reports: {reason.decode() if isinstance(reason, bytes) else reason}.") from error


def _advice(text: str) -> str:
    """Return advice on a construct that engines interpret differently, or "" if the pattern contains none."""
    for piece in _PIECE.findall(text):
        if piece == "(?":
            return "remove flags and look-arounds; only `(?:` and `(?P<name>` are supported."
        if piece == "{,":
            return "write `{0,n}` instead of `{,n}`."
        if piece[0] == "[" and "[:" in piece[1:]:
            return "escape `[` before `:` in brackets as `\\[`; classes such as `[:alpha:]` are not supported."
        escapes = re.findall(r"\\.", piece, re.DOTALL) if piece[0] in "\\[" else ()
        for letter in (pair[1] for pair in escapes):
            if letter in "123456789":
                return "remove back-references and octal numbers."
            if letter in _REFUSED_ESCAPES:
                return _REFUSED_ESCAPES[letter]
    return ""
