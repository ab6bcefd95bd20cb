"""Calls the application's functions for a request's actor and tenant when an event is built."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from auditlane.runtime.errors import ConfigError
from auditlane.sdk.context import AuditContext


@dataclass(frozen=True, slots=True)
class Actor:
    """A request's actor, as returned by an `actor` resolver. `type` is the `actor_type` of `emit`."""

    id: object
    name: str | None = None
    type: str = "user"
    on_behalf_of: str | None = None


class Resolvers:
    """The application's functions, checked once and called with the request.

    `tenant(request)` returns the tenant's id, and `actor(request)` an id or an `Actor`. None means unknown.
    """

    def __init__(self, tenant: Callable[[Any], object] | None, actor: Callable[[Any], object] | None) -> None:
        """Store the functions. Raises ConfigError for a coroutine function, since events are also recorded where
        nothing can be awaited.
        """
        for name, function in (("tenant", tenant), ("actor", actor)):
            called = function if inspect.isroutine(function) else type(function).__call__  # an instance may be callable
            if inspect.iscoroutinefunction(called):
                raise ConfigError(
                    f"{name} must not be a coroutine function: events are also recorded where nothing can be awaited.",
                    field=name,
                    fix=f"Await the value earlier, for example in a dependency, store it, and return it from {name}.",
                )
        self.tenant = tenant
        self.actor = actor


class ResolverHook:
    """Fills in one request's tenant and actor, again for each event, since they may have changed.

    Values that the application has set in the context take precedence. If a resolver finds nothing, its earlier result
    is kept, so that a user who logs out is still the actor.
    """

    __slots__ = ("_actor", "_request", "_resolvers", "_tenant")

    def __init__(self, resolvers: Resolvers, request: Callable[[], Any]) -> None:
        """Store the resolvers. `request` returns the object with which they are called."""
        self._resolvers = resolvers
        self._request = request
        self._tenant: str | None = None  # the latest result
        self._actor: str | None = None

    def __call__(self, context: AuditContext) -> None:
        try:
            if context.tenant_id is None or context.tenant_id is self._tenant:
                self._fill_tenant(context)
        finally:
            if context.actor_id is None or context.actor_id is self._actor:
                self._fill_actor(context)

    def _fill_tenant(self, context: AuditContext) -> None:
        if self._resolvers.tenant is None:
            return
        found = self._resolvers.tenant(self._request())
        if found is not None and found != "":
            context.tenant_id = self._tenant = str(found)

    def _fill_actor(self, context: AuditContext) -> None:
        if self._resolvers.actor is None:
            return
        found = self._resolvers.actor(self._request())
        actor = found if isinstance(found, Actor) else Actor(found)
        if actor.id is None or actor.id == "":
            return
        context.actor_id = self._actor = str(actor.id)
        context.actor_type = actor.type
        context.actor_name = actor.name
        if actor.on_behalf_of is not None:
            context.on_behalf_of = actor.on_behalf_of


def settle(context: AuditContext) -> None:
    """Run the resolvers one last time. If they fail, the error is kept and raised when the next event is built, where
    it is reported.
    """
    resolve = context.resolve
    if resolve is None:
        return
    context.resolve = None
    try:
        resolve(context)
    except Exception as error:
        context.resolve = partial(_raise, error)


def _raise(error: Exception, _: AuditContext) -> None:
    raise error
