"""Authenticates requests. Reads their credentials, and provides the dependencies by which a route requires a scope.

`RouteChecks` finds a route's dependencies without running it, because FastAPI reads the body before it calls them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Final, TypeVar

import anyio
import anyio.to_thread
from fastapi import FastAPI, Header, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer
from starlette.routing import Match
from starlette.types import Scope

from auditlane.access.audit import auditor_of
from auditlane.access.keys import KeysFile
from auditlane.access.links import Page
from auditlane.access.oidc import Oidc
from auditlane.access.permissions import Permission
from auditlane.access.scope import TENANT_HEADER, Principal, TenantScope
from auditlane.access.signing import SigningKeys
from auditlane.access.tokens import authenticate, authenticate_session, is_ours, require_standing
from auditlane.contract.tenants import OURS, is_tenant
from auditlane.runtime.errors import Forbidden, InvalidInput, IssuerUnavailable, Unauthenticated, WrongTenant
from auditlane.server.auth.cookies import COOKIE, Cookies
from auditlane.server.auth.enablement import TenantEnablement

_MARK: Final = "_requires_credential"
Check = Callable[[Request], Awaitable[object]]
Dependency = TypeVar("Dependency", bound=Callable[..., Awaitable[object]])


def requires_credential(dependency: Dependency) -> Dependency:
    """Mark a FastAPI dependency that authenticates. It is called with only the request, before the body is read, and
    again by FastAPI for its result.
    """
    setattr(dependency, _MARK, True)
    return dependency


def before_body(request: Request) -> bool:
    """Return whether a dependency is called before the body is read. If so, slow checks such as queries can wait."""
    return bool(getattr(request.state, "before_body", False))


@dataclass(frozen=True, slots=True)
class CheckedRoute:
    """A route, and the checks made before its body is read. A route without checks is public."""

    route: APIRoute
    checks: tuple[Check, ...]

    async def admit(self, scope: Scope) -> None:
        """Run the checks. Raises the errors that the route itself would raise."""
        scope.update(self.route.matches(scope)[1])  # path parameters, and the route for the metrics
        request = Request(scope)
        request.state.before_body = True
        for check in self.checks:
            await check(request)
        request.state.before_body = False


class RouteChecks:
    """Finds a request's route and checks. Routes may be added while the app runs."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._routes = 0
        self._plain: dict[tuple[str, str], CheckedRoute] = {}  # by method and path, for paths without parameters
        self._others: list[CheckedRoute] = []

    def find(self, scope: Scope) -> CheckedRoute | None:
        """Return the route that will handle this request, or None if no route matches."""
        if len(self._app.routes) != self._routes:
            self._learn()
        found = self._plain.get((scope["method"], scope["path"]))
        return found or next((other for other in self._others if other.route.matches(scope)[0] is Match.FULL), None)

    def _learn(self) -> None:
        self._routes, self._plain, self._others = len(self._app.routes), {}, []
        for route in _routes_of(self._app):
            checked = CheckedRoute(route, tuple(_checks(route.dependant)))
            if route.param_convertors:
                self._others.append(checked)
            else:
                for method in route.methods or ():
                    self._plain.setdefault((method, route.path), checked)


def _routes_of(owner: Any) -> Iterator[APIRoute]:
    for route in owner.routes:
        if isinstance(route, APIRoute):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from _routes_of(included)


def _checks(dependant: Dependant) -> Iterator[Check]:
    for dependency in dependant.dependencies:
        if dependency.call is not None and getattr(dependency.call, _MARK, False):
            yield dependency.call
        yield from _checks(dependency)


ACCESS_TOKEN_HEADER: Final = "x-access-token"  # noqa: S105 - a header's name
ISSUER_THREADS: Final = 8  # number of threads that may fetch the issuer's keys; tokens with a cached key need none
MAX_WAITING: Final = 32  # maximum number of requests that wait for one of these threads
_ACTOR_TYPES: Final = {"client": "api_key", "viewer": "user", "operator": "user"}
_VIEWS: Final = frozenset({Permission.read, Permission.export})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

# These and TenantName only describe the credentials in OpenAPI. `credential_from` and `named_tenant` read them, since
# that also happens before dependency injection.
BEARER: Final = HTTPBearer(
    scheme_name="token",
    auto_error=False,
    description="A token from /v1/token, a viewer token, or a token of the external issuer.",
)
ACCESS_TOKEN: Final = APIKeyHeader(
    scheme_name="access-token",
    name=ACCESS_TOKEN_HEADER,
    auto_error=False,
    description="The same token in another header.",
)
SESSION: Final = APIKeyCookie(
    scheme_name="session",
    name=COOKIE,
    auto_error=False,
    description="The session that a link opened. Over HTTPS the name begins with `__Host-`.",
)
_TENANT_FORM: Final = "Use 1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or digit."

TenantName = Annotated[
    str | None,
    Header(
        alias=TENANT_HEADER,
        description="Tenant of the request. Required with a client's token that is not bound to a tenant.",
        examples=["acme"],
    ),
]


class Authenticator:
    """Authenticates requests against a keys file, the signing keys, and optionally an external issuer."""

    def __init__(
        self,
        keys: KeysFile,
        signing: SigningKeys,
        oidc: Oidc | None = None,
        enablement: TenantEnablement | None = None,
        *,
        cookies: Cookies | None = None,
    ) -> None:
        self.keys = keys
        self.signing = signing
        self.oidc = oidc
        self.cookies = cookies or Cookies()
        self._enablement = enablement
        self._issuer_threads = anyio.CapacityLimiter(ISSUER_THREADS)

    async def principal(self, request: Request) -> Principal:
        """Return the caller.

        Raises Unauthenticated, TokenExpired or IssuerUnavailable, or Forbidden for a cross-site change.
        """
        known = getattr(request.state, "principal", None)
        if isinstance(known, Principal):  # authenticated before the body was read
            return known
        token, now = credential_from(request), datetime.now(UTC)
        if not token:
            found = self._session(request, now)
        elif self.oidc is None or is_ours(token):
            found = authenticate(token, keys=self.keys, signing=self.signing, now=now)
        elif self.oidc.has_cached_key(token):
            found = self.oidc.authenticate(token, now=now)
        else:
            if self._issuer_threads.statistics().tasks_waiting >= MAX_WAITING:
                raise IssuerUnavailable(
                    "Too many requests are waiting for the issuer's keys.", fix="Try again in a moment."
                )
            check = partial(self.oidc.authenticate, token, now=now)
            found = await anyio.to_thread.run_sync(check, limiter=self._issuer_threads)
        identify(request, found)
        request.state.principal = found
        return found

    def _session(self, request: Request, now: datetime) -> Principal:
        """Return the user of a page's session. Cookies never contain API tokens."""
        session = self.cookies.of(request, Page.log)
        if not session:
            raise Unauthenticated(
                "The request contains no credential.",
                fix="Send `Authorization: Bearer <token>`. Get a token from POST /v1/token.",
            )
        require_same_origin(request)
        return authenticate_session(session, keys=self.keys, signing=self.signing, now=now)

    def require_export(self, scope: TenantScope, behind: str = "link") -> None:
        """Raise Unauthenticated or Forbidden if the creator of an export, or of a link to it, has lost the
        permission.
        """
        now, operators = datetime.now(UTC), scope.tenant == OURS
        require_standing(scope, Permission.export, keys=self.keys, now=now, operators=operators, behind=behind)

    def authorize(
        self,
        *any_of: Permission,
        named_in: Callable[[Request], str | None] | None = None,
        header: str = TENANT_HEADER,
        even_off: bool = False,
    ) -> Callable[..., Awaitable[TenantScope]]:
        """Return a FastAPI dependency that returns the request's TenantScope, and raises the errors of
        `Principal.scope`.

        The caller needs one of the permissions. A route that needs further permissions checks the scope itself.
        `named_in` reads the tenant that a request names, by default `named_tenant`. `header` is the header's name in
        errors. Unless `even_off`, reads and exports raise LogsDisabled while the tenant's audit logs are disabled.
        """

        @requires_credential
        async def scope(
            request: Request,
            _tenant: TenantName = None,
            _bearer: Annotated[object, Security(BEARER)] = None,
            _access_token: Annotated[object, Security(ACCESS_TOKEN)] = None,
            _session: Annotated[object, Security(SESSION)] = None,
        ) -> TenantScope:
            principal, named = await self.principal(request), (named_in or named_tenant)(request)
            request.state.permission = any_of[0]  # the audit trail derives the action from it
            auditor_of(request).tenant = principal.tenant or named
            permission = principal.require(*any_of)
            if named == OURS and principal.tenant is None:
                principal.require(Permission.admin)  # that log contains the operators' actions
            found = principal.scope(permission, named, header=header)
            if self._enablement and permission in _VIEWS and not even_off and not before_body(request):
                await self._enablement.require_enabled(found.tenant)
            return found

        return scope

    def environment(self, *any_of: Permission) -> Callable[..., Awaitable[Principal]]:
        """Return a FastAPI dependency for environment-wide routes.

        The dependency rejects tenants' credentials and requires one of the permissions.
        """

        @requires_credential
        async def principal(
            request: Request,
            _bearer: Annotated[object, Security(BEARER)] = None,
            _access_token: Annotated[object, Security(ACCESS_TOKEN)] = None,
        ) -> Principal:
            found = await self.principal(request)
            request.state.permission = any_of[0]
            found.require(*any_of)
            if found.tenant is not None:
                raise WrongTenant(
                    "This route is for the whole environment, but the credential belongs to one tenant.",
                    fix="Use a client that is not bound to a tenant.",
                )
            return found

        return principal

    def any_principal(self) -> Callable[..., Awaitable[Principal]]:
        """Return a FastAPI dependency that returns the caller, authenticated by a token or a session cookie."""

        @requires_credential
        async def principal(
            request: Request,
            _bearer: Annotated[object, Security(BEARER)] = None,
            _access_token: Annotated[object, Security(ACCESS_TOKEN)] = None,
            _session: Annotated[object, Security(SESSION)] = None,
        ) -> Principal:
            return await self.principal(request)

        return principal

    def client(self, permission: Permission | None = None) -> Callable[..., Awaitable[Principal]]:
        """Return a FastAPI dependency that returns the caller, authenticated by a token in a header. The route checks
        permissions itself, except for `permission`, which the dependency requires.
        """

        @requires_credential
        async def principal(
            request: Request,
            _bearer: Annotated[object, Security(BEARER)] = None,
            _access_token: Annotated[object, Security(ACCESS_TOKEN)] = None,
        ) -> Principal:
            found = await self.principal(request)
            if permission:
                found.require(permission)
            return found

        return principal


def identify(request: Request, found: Principal) -> None:
    """Set the caller in the access log and the audit trail."""
    request.state.who = f"{found.kind}:{found.subject}"
    auditor = auditor_of(request)
    auditor.actor_id, auditor.actor_type, auditor.tenant = found.subject, _ACTOR_TYPES[found.kind], found.tenant
    auditor.actor_name = found.name or None
    auditor.client_id = found.client_id if found.client_id != found.subject else ""


def credential_from(request: Request) -> str:
    """Return the token in `Authorization: Bearer` or `x-access-token`, or an empty string."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated(
                "The header Authorization does not contain a bearer token.", fix="Send `Authorization: Bearer <token>`."
            )
        return token.strip()
    return request.headers.get(ACCESS_TOKEN_HEADER, "")


def require_same_origin(request: Request) -> None:
    """Raise Forbidden for a change that is authenticated by a session cookie and may come from another site."""
    if request.method not in _SAFE and not _from_our_pages(request):
        raise Forbidden(
            "A session cookie permits changes only from auditlane's own pages.",
            fix="Send a token instead of the cookie.",
        )


def require_not_cross_site(request: Request) -> None:
    """Raise Forbidden if the browser reports a cross-site request."""
    if request.headers.get("sec-fetch-site") not in (None, "none", "same-origin"):
        raise Forbidden("Cross-site requests are not allowed here.", fix="Open the link directly.")


def _from_our_pages(request: Request) -> bool:
    """Return whether auditlane's own page sent the request. Browsers set this header, and pages cannot change it."""
    return request.headers.get("sec-fetch-site") == "same-origin"


def tenant_in_path(request: Request) -> str:
    """Return the tenant in the path, which the header may repeat.

    Raises InvalidInput if it is invalid or the header differs.
    """
    path, named = str(request.path_params["tenant"]), named_tenant(request)
    if not is_tenant(path):
        raise InvalidInput("The path does not contain a valid tenant id.", field="tenant", fix=_TENANT_FORM)
    if named not in (None, path):
        raise InvalidInput(f"The path and the header {TENANT_HEADER} name different tenants.", field=TENANT_HEADER)
    return path


def named_tenant(request: Request, header: str = TENANT_HEADER) -> str | None:
    """Return the tenant in the header, or None if the header is missing. Raises InvalidInput if it is invalid or
    repeated."""
    named = request.headers.getlist(header)
    if len(named) > 1:
        raise InvalidInput(f"The header {header} appears more than once.", field=header, fix="Send it once.")
    if named and not is_tenant(named[0]):
        raise InvalidInput(
            f"The header {header} is not a valid tenant id.",
            field=header,
            fix=_TENANT_FORM,
        )
    return named[0] if named else None
