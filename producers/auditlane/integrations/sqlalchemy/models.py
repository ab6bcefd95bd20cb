"""Chooses the models to audit and the names of their events."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

_M = TypeVar("_M", bound=type[Any])

_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_decorated: Final[dict[type[Any], AuditedModel]] = {}


@dataclass(frozen=True)
class AuditedModel:
    """A mapped class whose changes become events, as do those of its subclasses.

    Attributes:
        model: The mapped class.
        name: `resource` and first part of the actions; default: the class name in snake case.
        actions: Actions in place of `<name>.created`, `.updated` and `.deleted`, by `created`, `updated`, `deleted`.
        tenant: Called with the object inside the flush; returns the tenant id, or None for the context's.
        exclude: Names of attributes that events never contain; a change to these alone is not recorded.
        mask: Names of attributes whose values are masked, beyond those that look like secrets.
        metadata: Called with the object inside the flush; returns further metadata.
    """

    model: type[Any]
    name: str = ""
    actions: Mapping[str, str] = field(default_factory=dict)
    tenant: Callable[[Any], object] | None = None
    exclude: Collection[str] = ()
    mask: Collection[str] = ()
    metadata: Callable[[Any], Mapping[str, Any]] | None = None

    @property
    def resource(self) -> str:
        """Return the resource type."""
        return self.name or _WORD.sub("_", self.model.__name__).lower()

    def action(self, kind: str) -> str:
        """Return the action for `created`, `updated` or `deleted`."""
        return self.actions.get(kind) or f"{self.resource}.{kind}"


def audited_model(
    *,
    name: str = "",
    actions: Mapping[str, str] | None = None,
    tenant: Callable[[Any], object] | None = None,
    exclude: Collection[str] = (),
    mask: Collection[str] = (),
    metadata: Callable[[Any], Mapping[str, Any]] | None = None,
) -> Callable[[_M], _M]:
    """Mark a mapped class for `audit_models(Session)`. Takes the same arguments as AuditedModel.

    @audited_model(tenant=lambda document: document.tenant_id, exclude={"search_index"})
    class Document(Base): ...
    """

    def mark(model: _M) -> _M:
        _decorated[model] = AuditedModel(model, name, actions or {}, tenant, exclude, mask, metadata)
        return model

    return mark


def decorated() -> list[AuditedModel]:
    """Return the classes marked with `audited_model`."""
    return list(_decorated.values())


def of_class(model: type[Any]) -> AuditedModel:
    """Return a marked class's options, or the defaults."""
    return _decorated.get(model) or AuditedModel(model)
