"""The facts about a request and its response, and the event that they describe. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from auditlane.contract.event import OutcomeName
from auditlane.contract.vocabulary import ACTIONS
from auditlane.integrations.web.routes import Match, Routes

DENIED: Final = frozenset({401, 403})


@dataclass(slots=True)
class Exchange:
    """A request's state so far, which the middleware fills in."""

    method: str
    path: str  # relative to where the middleware is installed
    template: str | None = None  # the template of the route that the framework chose
    unrouted: bool = False  # whether the framework found no route
    status: int = 0  # 0 until a response has begun
    complete: bool = False  # whether the whole response was sent or is in memory
    left: bool = False  # whether the client disconnected before the whole response was sent
    exception: str | None = None  # type of an unhandled exception
    # whether a framework reported a denial, whatever the status, such as a redirect to the login page
    denied: bool = False
    recorded: bool = False

    def failed(self, error: BaseException) -> None:
        """Note an unhandled exception, without its text, which may contain personal data.

        An exception caused by a disconnect is not a failure of the application, so the response status decides the
        outcome.
        """
        if not self.left:
            self.exception = type(error).__name__

    @property
    def outcome(self) -> OutcomeName:
        """Return the request's outcome: `denied`, or `failure` after an exception, an error status or no response, or
        else `success`."""
        if self.denied or self.status in DENIED:
            return "denied"
        if self.exception is not None or not 100 <= self.status < 400:
            return "failure"
        return "success"


def event_of(exchange: Exchange, routes: Routes, *, record_denied: bool) -> dict[str, Any] | None:
    """Return the event's values, or None if the request is not recorded.

    With `record_denied`, a denied request that matches no configured route becomes `access.denied`.
    """
    found = None if exchange.unrouted else routes.find(exchange.method, exchange.path, exchange.template)
    if found is not None:
        return _routed(exchange, found)
    if not record_denied or exchange.outcome != "denied":
        return None
    # Only the template, since a path may contain an id or a secret.
    return {
        "action": "access.denied",
        "outcome": "denied",
        "severity": ACTIONS["access.denied"].severity,
        "resource": "route",
        "resource_id": exchange.template,
        "metadata": _facts(exchange, exchange.template),
    }


def _routed(exchange: Exchange, found: Match) -> dict[str, Any]:
    event, parameters = found.event, dict(found.parameters)
    name = event.resource_id or next(reversed(parameters), None)
    known = ACTIONS.get(event.action)
    resource = known.resource if known else event.action.partition(".")[0]
    return {
        "action": event.action,
        "outcome": exchange.outcome,
        "severity": event.severity or (known.severity if known else "Info"),
        "resource": resource if event.resource is None else event.resource,
        "resource_id": parameters.pop(name) if name else None,
        "metadata": parameters | _facts(exchange, found.template),
    }


def _facts(exchange: Exchange, template: str | None) -> dict[str, str]:
    """Return the event's metadata.

    The value `response` is `none` if no response began, because the client left or an exception was raised, and
    `incomplete` if the response did not end.
    """
    facts = {"method": exchange.method}
    if template:
        facts["route"] = template
    if exchange.status:
        facts["status"] = str(exchange.status)
    if not exchange.complete:
        facts["response"] = "incomplete" if exchange.status else "none"
    if exchange.exception:
        facts["exception"] = exchange.exception
    return facts
