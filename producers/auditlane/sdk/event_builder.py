"""Builds a checked event from the arguments of `emit`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from auditlane.contract.event import BASE_FIELDS, AuditEvent
from auditlane.contract.provenance import is_ours
from auditlane.contract.tenants import check_tenant
from auditlane.contract.window import check_time
from auditlane.runtime.errors import InvalidEvent
from auditlane.runtime.messages import did_you_mean
from auditlane.sdk.redaction import Redaction

_NAMED: Final = frozenset(BASE_FIELDS)
_TENANT: Final = "Pass it, or enter a context: `with audit.context(tenant=…)`."


class EventBuilder:
    """Builds a client's events. Immutable."""

    def __init__(self, source: str, redaction: Redaction | None, *, own_events: bool) -> None:
        self._source = source
        self._redaction = redaction
        self._own_events = own_events
        self.redacts: Final = redaction is not None  # whether values are replaced before an event is encoded

    def complete(self, values: dict[str, Any]) -> None:
        """Add the client's default source to the keywords of `emit`."""
        if self._source:
            values.setdefault("source", self._source)

    def build(self, event: AuditEvent | None, values: dict[str, Any]) -> AuditEvent:
        """Return the given event, or one built from the keywords, which changes `values`. Raises InvalidEvent."""
        if event is None:
            if not values.keys() <= _NAMED:
                own = {name: values.pop(name) for name in list(values) if name not in _NAMED and name != "fields"}
                values["fields"] = {**_mapping(values.get("fields", {})), **own}
            self.complete(values)
            event = AuditEvent.checked(values)
        elif values:
            raise InvalidEvent(
                "emit() was given both an event and fields.",
                field=next(iter(values)),
                fix="Pass either an AuditEvent or its fields as keywords.",
            )
        elif not isinstance(event, AuditEvent):
            raise InvalidEvent(
                f"The event must be an AuditEvent, not {type(event).__name__}.",
                fix="Pass the fields as keywords: emit(**fields).",
            )
        if not event.tenant_id:  # of a typed event
            raise InvalidEvent("The event is not valid: tenant_id is missing", field="tenant_id", fix=_TENANT)
        check_tenant(event.tenant_id, ours=self._own_events)
        if event.source and is_ours(event.source) and not self._own_events:
            raise InvalidEvent(
                f"source {event.source[:120]!r} is reserved for auditlane's own events.",
                field="source",
                fix="Set source to the name of the service that sends the event, or omit it.",
            )
        check_time(event.occurred_at, datetime.now(UTC))
        return event if self._redaction is None else self._redaction.apply(event)


def suggest(error: InvalidEvent, values: Mapping[str, Any], known_fields: Callable[[], Iterable[str]]) -> None:
    """Add the likely spelling of a misspelt keyword to the error. A type checker cannot find it, since it could be a
    custom field.

    `known_fields` returns the cached names of the tenant's custom fields. `send` omits this step, since it takes a
    fraction of a millisecond, and a gateway may reject thousands of events.
    """
    if error.field == "tenant_id" and "tenant_id" not in values:
        error.fix = error.fix or _TENANT
    own, name = values.get("fields"), error.field
    if not isinstance(own, Mapping) or not name:
        return
    if name in _NAMED and name not in values:
        meant = did_you_mean(name, own)
        hint = meant and f"Did you mean {name} instead of {meant.removeprefix('Did you mean ')}"
    elif name in own and name not in (known := [*BASE_FIELDS, *known_fields()]):
        hint = did_you_mean(name, known)
    else:
        return
    error.fix = f"{hint} {error.fix}".strip()


def _mapping(given: Any) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        try:
            return dict(given)
        except MemoryError:
            raise
        except Exception as error:  # raised by the value's own methods
            raise InvalidEvent(
                f"fields could not be read: the value raised {type(error).__name__}.", field="fields"
            ) from error
    raise InvalidEvent(
        f"fields must be a mapping from custom field names to values, not {type(given).__name__}.",
        field="fields",
        fix="Pass a dict, or omit it.",
    )
