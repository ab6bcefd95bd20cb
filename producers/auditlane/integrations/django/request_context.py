"""A request's context (user, tenant and address), which is read when an event is built.

Django loads the user when first needed, and REST framework replaces it inside the view, so nothing is read when the
request begins.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Final

from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest

from auditlane.integrations.django.options import options
from auditlane.runtime.client_address import TrustedProxies, client_address
from auditlane.sdk.context import AuditContext
from auditlane.sdk.trace import request_id_of

_MOST_CHARACTERS: Final = 1_000  # maximum length of a User-Agent

_request: ContextVar[HttpRequest | None] = ContextVar("auditlane_django_request", default=None)


def current_request() -> HttpRequest | None:
    """Return the request being served, or None outside a request."""
    return _request.get()


class RequestContext(AuditContext):
    """Reads its values from a request whenever an event is built. Values set by the application are kept."""

    __slots__ = ("_actor", "_outside", "_request", "_tenant")

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(resolve=_resolve)
        self._request = request
        self._actor: str | None = None  # id filled in here rather than by the application
        self._tenant: str | None = None
        self._outside: Token[HttpRequest | None] | None = None

    def __enter__(self) -> RequestContext:
        super().__enter__()
        self._outside = _request.set(self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._outside is not None:
            _request.reset(self._outside)
        super().__exit__(kind, error, trace)

    def fill(self) -> None:
        """Read the request. An error from the user or the tenant is raised again after everything else has been filled
        in.
        """
        meta = self._request.META
        if self.request_id is None:
            self.request_id = request_id_of(meta.get("HTTP_TRACEPARENT"), meta.get("HTTP_X_REQUEST_ID"))
        if self.user_agent is None and (agent := meta.get("HTTP_USER_AGENT")):
            self.user_agent = str(agent)[:_MOST_CHARACTERS]
        if self.ip is None:
            peer, forwarded = meta.get("REMOTE_ADDR"), meta.get("HTTP_X_FORWARDED_FOR")
            self.ip = _address(peer, forwarded, options().trusted_proxies)
        try:
            self._fill_actor()
        finally:
            self._fill_tenant()

    def _fill_actor(self) -> None:
        if self.actor_id is not None and self.actor_id != self._actor:
            return  # set by the application
        user = user_of(self._request)
        if user is None:
            return
        known: dict[str, str | None] = actor_of(user) if user.is_authenticated else {"actor_type": "anonymous"}
        self._actor = known.get("actor_id")
        for name in ("actor_id", "actor_type", "actor_name"):
            setattr(self, name, known.get(name))

    def _fill_tenant(self) -> None:
        tenant_of = options().tenant_of
        if tenant_of is None or (self.tenant_id is not None and self.tenant_id != self._tenant):
            return
        self.tenant_id = self._tenant = None
        tenant = tenant_of(self._request)
        if tenant is not None:
            self.tenant_id = self._tenant = str(tenant)


def _address(peer: str | None, forwarded: str | None, trusted: TrustedProxies) -> str | None:
    return client_address(peer, [forwarded] if forwarded else [], trusted)


def _resolve(context: AuditContext) -> None:
    if isinstance(context, RequestContext):
        context.fill()


def user_of(request: HttpRequest) -> Any:
    """Return the request's user, even if anonymous, or None if the project does not use Django's authentication.

    In an event loop, only a user that is already loaded can be read. Otherwise, this raises SynchronousOnlyOperation.
    """
    user: Any = getattr(request, "user", None)
    if user is None:
        return None
    try:
        _ = user.is_authenticated  # loads a lazy user
    except SynchronousOnlyOperation:
        user = getattr(request, "_acached_user", None)  # loaded by `request.auser()`
        if user is None:
            raise
    return user


def actor_of(user: Any) -> dict[str, str | None]:
    """Return the event fields that describe a user as the actor."""
    return {
        "actor_id": None if user.pk is None else str(user.pk),
        "actor_type": "user",
        "actor_name": str(user.get_username()),
    }


def in_admin(request: HttpRequest | None) -> bool:
    """Return whether a request is for a page of Django's admin."""
    match = getattr(request, "resolver_match", None)
    return match is not None and "admin" in match.app_names
