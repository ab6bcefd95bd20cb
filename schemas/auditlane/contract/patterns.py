"""Regular expressions that a contract demands of a value: matched by RE2 and by nothing else.

RE2 needs time proportional to the value's length times the size of the pattern's program, whatever the pattern; both
are bounded when a contract is read. Python's `re`, which can need exponential time, never sees such a pattern: a
process without RE2 (a service that only emits) leaves patterns to the gateway and the worker.
"""

from __future__ import annotations

import importlib
import os
import re
from dataclasses import dataclass, field
from typing import Any, Final

LONGEST_PATTERN: Final = 1_000  # characters
# Instructions of RE2's program. In the worst case RE2 takes 12 ns for each of them and each byte of a value.
MOST_STATES: Final = 2_000
LONGEST_VALUE: Final = 4_096  # characters that a pattern may be matched against: `maxLength` beside it is at most this
BYTES: Final = 4  # of a character at most
# States times bytes of the longest values, of all patterns of a contract together: 6 ms an event. It bounds the worker
# as well, which judges whatever is written to Kafka, and the other tenants' events of a partition after it.
MOST_WORK: Final = 500_000
# An eighth of what Arrow's RE2 has, so whatever compiles here compiles in the worker too.
_MEMORY_BYTES: Final = 1 << 20
# An escape, a class, a group's beginning, a count, or one character.
_PIECE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P<\w+>|\(\?:|\(\?|\{,|.", re.DOTALL)
# Versions of RE2 differ in these: Unicode's tables grow, and syntax is added.
_REFUSED_ESCAPES: Final = {
    "p": r"write the characters in brackets instead of `\p`.",
    "P": r"write the characters in brackets instead of `\P`.",
    "C": r"write it without `\C`, which is half a character.",
    "Q": r"write it without `\Q`.",
}

try:
    _re2: Any = importlib.import_module("re2")
except ImportError:  # a service that only emits
    _re2 = None

_forks = 0


def _after_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_after_fork)


@dataclass(frozen=True, slots=True)
class Pattern:
    """`text` as the contract has it. `states` is the size of its program, 0 where this process lacks RE2."""

    text: str
    states: int = field(default=0, compare=False)
    _program: Any = field(default=None, compare=False, repr=False)
    _made_in: int = field(default=0, compare=False, repr=False)  # the process, by how many forks led to it

    @classmethod
    def parse(cls, text: Any) -> Pattern:
        """Raises ValueError, one sentence with what to write instead."""
        if not isinstance(text, str) or not 0 < len(text) <= LONGEST_PATTERN:
            raise ValueError(f"write a text of 1 to {LONGEST_PATTERN} characters.")
        if any("\ud800" <= one <= "\udfff" for one in text):
            raise ValueError("it has half of a surrogate pair, which UTF-8 cannot carry; correct it.")
        if advice := _advice(text):
            raise ValueError(advice)
        if _re2 is None:
            return cls(text)
        _compiled(text)  # by itself too: `a)|(?:b` is none, though the whole expression around it is one
        program = _compiled(_whole(text), captures=False)
        if program.programsize > MOST_STATES:
            raise ValueError(
                f"its program has {program.programsize} states (limit {MOST_STATES}); repeat less in it, and bound "
                "the length with `maxLength`."
            )
        return cls(text, program.programsize, program, _forks)

    @property
    def re2(self) -> str:
        """The RE2 expression that searches for the whole value."""
        return _whole(self.text)

    def matches(self, value: str) -> bool | None:
        """Whether the whole value matches; None in a process without RE2. The caller bounds the value's length."""
        if self._program is None:
            return None
        if self._made_in != _forks:  # a thread of the parent's may have held the lock that is inside of it
            object.__setattr__(self, "_program", _compiled(_whole(self.text), captures=False))
            object.__setattr__(self, "_made_in", _forks)
        return self._program.match(value.encode()) is not None


def available() -> bool:
    """Whether this process has RE2, without which it can neither register a pattern nor match it."""
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
        raise ValueError(f"RE2 says: {reason.decode() if isinstance(reason, bytes) else reason}.") from error


def _advice(text: str) -> str:
    """What to write instead of a construct whose meaning is not sure; empty without one."""
    for piece in _PIECE.findall(text):
        if piece == "(?":
            return "write it without flags and look-arounds; only `(?:` and `(?P<name>` are understood."
        if piece == "{,":
            return "write `{0,n}` instead of `{,n}`."
        if piece[0] == "[" and "[:" in piece[1:]:
            return "write `[` before `:` in brackets as `\\[`; classes such as `[:alpha:]` are not understood."
        escapes = re.findall(r"\\.", piece, re.DOTALL) if piece[0] in "\\[" else ()
        for letter in (pair[1] for pair in escapes):
            if letter in "123456789":
                return "write it without back-references and octal numbers."
            if letter in _REFUSED_ESCAPES:
                return _REFUSED_ESCAPES[letter]
    return ""
