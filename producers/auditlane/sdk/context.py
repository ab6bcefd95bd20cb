"""Keeps a request's or job's actor, tenant and address, so that code that emits events does not need to know them.

A context is mutable, and is read when an event is built. A web framework may therefore enter it when a request begins,
and fill in the user and the tenant later, from any of the request's tasks or threads.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, NamedTuple

from auditlane.runtime import trace_context
from auditlane.sdk.diff import plain_value

NAMES: Final = (
    *("tenant_id", "actor_id", "actor_type", "actor_name", "on_behalf_of"),
    *("ip", "user_agent", "request_id"),
)
# describe `actor_id`, so they are taken only together with it
_ACTOR: Final = ("actor_type", "actor_name", "on_behalf_of")
_MOST_CHARACTERS: Final = 1_000  # maximum length of a carried value
_MOST_METADATA: Final = 20  # maximum number of carried values

Resolver = Callable[["AuditContext"], None]
Report = Callable[[Exception], None]


class _Entered(NamedTuple):
    """An entered context and the contexts around it. A context may be entered more than once."""

    context: AuditContext
    outer: _Entered | None


_current: ContextVar[_Entered | None] = ContextVar("auditlane_context", default=None)


class AuditContext:
    """Values that the events of one request or job have in common. Events built inside inherit the values that they do
    not set.

        with audit.context(tenant="acme", actor="user-17", ip="203.0.113.7"):
            audit.emit(action="document.deleted", resource_id="d-98765")

    Contexts nest: values that the inner context does not set are taken from the outer context. Tasks and threads that
    copy the current `contextvars` context share it, so they all see a value that is set later.
    """

    __slots__ = (*NAMES, "_resolving", "metadata", "resolve")

    def __init__(
        self,
        *,
        tenant: str | None = None,
        actor: str | None = None,
        actor_type: str | None = None,
        actor_name: str | None = None,
        on_behalf_of: str | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
        request_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        resolve: Resolver | None = None,
    ) -> None:
        """Set the values. A value that is None is taken from the outer context.

        Args:
            tenant: The tenant's id.
            actor: Id of the user or service that acts. An event with its own `actor_id` takes no other actor value.
            actor_type: As in `emit`.
            actor_name: As in `emit`.
            on_behalf_of: As in `emit`.
            ip: As in `emit`.
            user_agent: As in `emit`.
            request_id: As in `emit`; by default, the trace id of OpenTelemetry's current span, if there is one.
            metadata: Further values by name, which are converted to text.
            resolve: Called with the context whenever an event is made; may set its attributes.
        """
        self.tenant_id = tenant
        self.actor_id = actor
        self.actor_type = actor_type
        self.actor_name = actor_name
        self.on_behalf_of = on_behalf_of
        self.ip = ip
        self.user_agent = user_agent
        self.request_id = request_id
        self.metadata: dict[str, object] = dict(metadata or {})
        self.resolve = resolve
        self._resolving: set[int] = set()  # ids of threads that are running `resolve`

    def __enter__(self) -> AuditContext:
        _current.set(_Entered(self, _current.get()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Resetting a token could fail, since another task may exit the context, for example in a streamed response.
        _current.set(_without(self, _current.get()))

    def add_to(self, values: dict[str, Any], report: Report) -> None:
        """Add the values known so far, as keywords of `emit`, to those of the outer context.

        Errors raised by a resolver are passed to `report`.
        """
        thread = threading.get_ident()
        if self.resolve is not None and thread not in self._resolving:
            self._resolving.add(thread)
            try:
                self.resolve(self)
            except Exception as error:
                report(error)
            finally:
                self._resolving.discard(thread)
        if self.actor_id is not None:
            for name in _ACTOR:
                values.pop(name, None)
        for name in NAMES:
            if (value := getattr(self, name)) is not None:
                values[name] = value
        if self.metadata:
            values["metadata"] = {**values.get("metadata", {}), **self.metadata}


def _without(context: AuditContext, entered: _Entered | None) -> _Entered | None:
    """Return the entered contexts without this one. It is usually the innermost, but not always."""
    if entered is None:
        return None
    if entered.context is context:
        return entered.outer
    outer = _without(context, entered.outer)
    return entered if outer is entered.outer else _Entered(entered.context, outer)


context = AuditContext  # `audit.context(…)` reads as a statement


def current() -> AuditContext | None:
    """Return the innermost entered context, or None outside any context."""
    entered = _current.get()
    return None if entered is None else entered.context


def known_values(report: Report) -> dict[str, Any]:
    """Return the current context's values, and those of OpenTelemetry's current span, as keywords of `emit`."""
    values: dict[str, Any] = {}
    contexts = []
    entered = _current.get()
    while entered is not None:
        contexts.append(entered.context)
        entered = entered.outer
    for found in reversed(contexts):
        found.add_to(values, report)
    if span := trace_context.current():
        values.setdefault("request_id", span.trace_id)
        values["metadata"] = {"trace_id": span.trace_id, "span_id": span.span_id, **values.get("metadata", {})}
    return values


def fill(values: dict[str, Any], report: Report) -> bool:
    """Add the current context's values to the keywords of `emit`. Given keywords take precedence, even if None.

    Returns False if there is neither a context nor a trace.
    """
    if _current.get() is None and trace_context.current() is None:
        return False
    known = known_values(report)
    if not known:
        return True
    metadata = known.pop("metadata", None)
    if "actor_id" in values:
        for name in _ACTOR:
            known.pop(name, None)
    for name, value in known.items():
        values.setdefault(name, value)
    if metadata:
        given = values.get("metadata")
        if given is None or isinstance(given, Mapping):  # anything else is refused with its own message
            values["metadata"] = texts_of(metadata) | dict(given or {})
    return True


def carried() -> dict[str, str]:
    """Return the current values as text of bounded size, for a message's headers. `restored` reads them."""
    values = known_values(lambda _: None)
    metadata = values.pop("metadata", {})
    texts = {name: str(value)[:_MOST_CHARACTERS] for name, value in values.items()}
    for name, value in list(metadata.items())[:_MOST_METADATA]:
        texts[f"metadata.{name}"] = text_of(value)[:_MOST_CHARACTERS]
    return texts


def restored(values: Mapping[str, str]) -> AuditContext:
    """Return a context with the values that `carried` returned in another process. Other names are ignored."""
    made = AuditContext()
    for name, value in values.items():
        if name in NAMES and isinstance(value, str):
            setattr(made, name, value)
        elif name.startswith("metadata."):
            made.metadata[name.removeprefix("metadata.")] = value
    return made


def texts_of(metadata: Mapping[Any, object]) -> dict[str, str]:
    """Convert the metadata's names and values with `text_of`. Most are ASCII text, which needs no conversion."""
    items: list[tuple[Any, Any]] = list(metadata.items())
    for name, value in items:
        if type(name) is not str or type(value) is not str or not (name.isascii() and value.isascii()):
            return {text_of(name): text_of(value) for name, value in items}
    return dict(items)


def text_of(value: object) -> str:
    """Return a metadata value as text. Text stays unchanged, and any other value is converted by `plain_value`
    first."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    shown = plain_value(value)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
