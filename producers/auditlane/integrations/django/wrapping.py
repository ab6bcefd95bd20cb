"""Wraps library methods that do not send a signal. Each method is wrapped only once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from auditlane.integrations.django.recording import safely

_done: Final[set[tuple[type, str]]] = set()


def wrap(owner: type, name: str, around: Callable[..., Any]) -> None:
    """Replace a method with a function that calls `around(original, *arguments)`. A second call does nothing."""
    if (owner, name) in _done:
        return
    _done.add((owner, name))
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return around(original, *args, **kwargs)

    setattr(owner, name, wrapped)


def then(after: Callable[..., None]) -> Callable[..., Any]:
    """Return an `around` function that calls the original and then, safely, `after` with the same arguments."""
    quietly = safely(after)

    def around(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        quietly(*args, **kwargs)
        return result

    return around
