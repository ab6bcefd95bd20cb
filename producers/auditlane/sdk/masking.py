"""Shortens a login or an e-mail address, so that a log neither identifies the person nor contains a mistyped
password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_MASK: Final = "***"
_MOST_OF_AN_ADDRESS: Final = 254
_ADDRESS: Final = re.compile(r"[^@\s]+@((?:[a-z0-9-]+\.)+[a-z]{2,})", re.IGNORECASE)


def masked(text: object) -> str:
    """Return the first character of a login and, for an e-mail address, the domain: `j***` or `j***@example.com`.

    Text of fewer than four characters becomes `***`, as does any value that is not text. The result does not show the
    length.
    """
    if not isinstance(text, str) or len(text) <= len(_MASK):
        return _MASK
    first = text[0] if text[0].isprintable() else ""  # a lone surrogate would make the event invalid
    address = _ADDRESS.fullmatch(text) if len(text) <= _MOST_OF_AN_ADDRESS else None
    return f"{first}{_MASK}@{address[1]}" if address else first + _MASK


def masked_state(state: object) -> object:
    """Return a change's before or after state with each string masked. Anything but a mapping of strings becomes `***`
    as a whole.
    """
    if state is None:
        return None
    if isinstance(state, str):
        return masked(state)
    if isinstance(state, Mapping):
        return {name: masked_state(value) for name, value in state.items()}
    return _MASK
