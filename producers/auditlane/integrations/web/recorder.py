"""Provides each request's audit context, and records an exchange's event. This is the shell around the decisions in
`exchange`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditlane.integrations.web.exchange import Exchange, event_of
from auditlane.integrations.web.resolvers import ResolverHook, Resolvers
from auditlane.integrations.web.routes import AuditRoute, Routes
from auditlane.runtime.client_address import TrustedProxies, client_address
from auditlane.runtime.errors import AuditlaneError, ClientClosed, ConfigError
from auditlane.sdk import AuditClient, audit
from auditlane.sdk.context import AuditContext, context
from auditlane.sdk.trace import request_id_of


@dataclass(slots=True, kw_only=True)  # not frozen: one is created per request, at a third of the cost
class Head:
    """The sender of a request, according to its headers. `forwarded_for` contains the values of all `X-Forwarded-For`
    headers.
    """

    peer: str | None
    forwarded_for: Sequence[str] = ()
    user_agent: str | None = None
    traceparent: str | None = None
    x_request_id: str | None = None


class Recorder:
    """A middleware's options, and its actions for a request."""

    def __init__(
        self,
        *,
        routes: Mapping[str, str | AuditRoute],
        tenant: Callable[[Any], object] | None,
        actor: Callable[[Any], object] | None,
        trusted_proxies: str | int,
        record_denied: bool,
        client: AuditClient | None,
    ) -> None:
        """Store the options. Raises ConfigError for an invalid route, resolver or proxy."""
        self.client = audit if client is None else client
        self._routes = Routes(routes)
        self._resolvers = Resolvers(tenant, actor)
        self._trusted = TrustedProxies.parse(str(trusted_proxies))
        self._record_denied = record_denied

    def context(self, head: Callable[[], Head], request: Callable[[], Any]) -> AuditContext:
        """Return a request's context, which reads the request when the first event is built.

        `request` returns the object that is passed to the resolvers.
        """
        return context(resolve=_Hook(head, self._trusted, ResolverHook(self._resolvers, request)))

    def observes(self, method: str) -> bool:
        """Return whether a request with this method may have an event."""
        return self._record_denied or self._routes.has(method)

    def event(self, exchange: Exchange) -> dict[str, Any] | None:
        """Return the values of the exchange's event on the first call. Returns None on later calls, or if there is no
        event."""
        if exchange.recorded:
            return None
        exchange.recorded = True
        return event_of(exchange, self._routes, record_denied=self._record_denied)

    def waits(self, context: AuditContext) -> bool:
        """Return whether recording in a settled context may have to wait for the registry, as a tenant's first event
        does.
        """
        try:
            return not self.client.knows(context.tenant_id or self.client.config.catch_all_tenant)
        except AuditlaneError:  # settings are missing, which `record` reports
            return False

    def report(self, error: Exception) -> None:
        """Report an event that could not be built, without failing the request."""
        try:
            self.client.report_unrecorded(error)
        except AuditlaneError:  # settings are missing, which `record` reports
            return

    async def flush(self) -> None:
        """Flush the recorded events for up to `close_timeout_s`, unless the application has closed the client."""
        try:
            await self.client.aflush(self.client.config.close_timeout_s)
        except (ClientClosed, ConfigError):
            return


class _Hook:
    """Reads one request's headers for its first event, and calls the resolvers for each event."""

    __slots__ = ("_head", "_resolvers", "_trusted")

    def __init__(self, head: Callable[[], Head], trusted: TrustedProxies, resolvers: ResolverHook) -> None:
        self._head: Callable[[], Head] | None = head
        self._trusted = trusted
        self._resolvers = resolvers

    def __call__(self, context: AuditContext) -> None:
        if self._head is not None:
            head, self._head = self._head(), None
            if context.ip is None:
                context.ip = client_address(head.peer, head.forwarded_for, self._trusted)
            if context.user_agent is None:
                context.user_agent = head.user_agent
            if context.request_id is None:
                context.request_id = request_id_of(head.traceparent, head.x_request_id)
        self._resolvers(context)
