"""Models whose changes are recorded as specific events, so that the admin does not record events for them."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Model

_covered: Final[set[type[Model]]] = set()


def cover(model: type[Model]) -> None:
    """Mark a model whose own signals record saved and deleted objects."""
    _covered.add(model)


def is_covered(model: Any) -> bool:
    """Return whether the model's own signals record its changes."""
    return model in _covered
