"""From a request to who asks: where credentials are found in it, and the dependency that routes ask for a scope.

Which credential a route asks for is found without running it: FastAPI reads a body before it asks for any.
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
    """Mark a FastAPI dependency that authenticates. It is called with the request alone, before the body is read, and
    once more by FastAPI for what it returns."""
    setattr(dependency, _MARK, True)
    return dependency


def before_body(request: Request) -> bool:
    """Whether a dependency is asked before the body: what takes time, as a look into the store, can wait."""
    return bool(getattr(request.state, "before_body", False))


@dataclass(frozen=True, slots=True)
class CheckedRoute:
    """A route and the checks that come before its body; without any it is open to everybody."""

    route: APIRoute
    checks: tuple[Check, ...]

    async def admit(self, scope: Scope) -> None:
        """Raises what the route itself would answer to a request without the right credential."""
        scope.update(self.route.matches(scope)[1])  # the parameters in its path, and what the metrics are told
        request = Request(scope)
        request.state.before_body = True
        for check in self.checks:
            await check(request)
        request.state.before_body = False


class RouteChecks:
    """The doors of an app; routes may be added as long as it runs."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._routes = 0
        self._plain: dict[tuple[str, str], CheckedRoute] = {}  # by method and path, where the path has no parameter
        self._others: list[CheckedRoute] = []

    def door(self, scope: Scope) -> CheckedRoute | None:
        """The route that will take this request; None when there is none."""
        if len(self._app.routes) != self._routes:
            self._learn()
        found = self._plain.get((scope["method"], scope["path"]))
        return found or next((one for one in self._others if one.route.matches(scope)[0] is Match.FULL), None)

    def _learn(self) -> None:
        self._routes, self._plain, self._others = len(self._app.routes), {}, []
        for route in _routes_of(self._app):
            door = CheckedRoute(route, tuple(_checks(route.dependant)))
            if route.param_convertors:
                self._others.append(door)
            else:
                for method in route.methods or ():
                    self._plain.setdefault((method, route.path), door)


def _routes_of(owner: Any) -> Iterator[APIRoute]:
    for route in owner.routes:
        if isinstance(route, APIRoute):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from _routes_of(included)


def _checks(dependant: Dependant) -> Iterator[Check]:
    for one in dependant.dependencies:
        if one.call is not None and getattr(one.call, _MARK, False):
            yield one.call
        yield from _checks(one)


ACCESS_TOKEN_HEADER: Final = "x-access-token"  # noqa: S105 - a header's name
ASKERS: Final = 8  # threads that may wait for the issuer's keys at once; whose key is known does not wait
MOST_WAITING: Final = 32  # requests that may wait for one of these
_ACTOR_TYPES: Final = {"client": "api_key", "viewer": "user", "operator": "user"}
_VIEWS: Final = frozenset({Permission.read, Permission.export})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

# These, and TenantName, only describe the credentials in OpenAPI; `credential_from` and `named_tenant` read them, also
# where no dependency injection has taken place.
BEARER: Final = HTTPBearer(
    scheme_name="token", auto_error=False, description="A token from /v1/token, a viewer token, or one of the issuer."
)
ACCESS_TOKEN: Final = APIKeyHeader(
    scheme_name="access-token", name=ACCESS_TOKEN_HEADER, auto_error=False, description="The same, in this header."
)
SESSION: Final = APIKeyCookie(
    scheme_name="session",
    name=COOKIE,
    auto_error=False,
    description="A session that a link opened. Over https the name begins with `__Host-`.",
)
_TENANT_FORM: Final = "Use 1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or digit."

TenantName = Annotated[
    str | None,
    Header(
        alias=TENANT_HEADER,
        description="The tenant that the request is about. Needed with a client's token; a viewer's has its own.",
        examples=["acme"],
    ),
]


class Authenticator:
    """Authenticates requests against one keys file, one set of signing keys, and maybe somebody else's issuer."""

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
        self._askers = anyio.CapacityLimiter(ASKERS)

    async def principal(self, request: Request) -> Principal:
        """Who asks. Raises Unauthenticated, TokenExpired, IssuerUnavailable, and Forbidden for another site's form."""
        known = getattr(request.state, "principal", None)
        if isinstance(known, Principal):  # asked before the body was read
            return known
        token, now = credential_from(request), datetime.now(UTC)
        if not token:
            found = self._session(request, now)
        elif self.oidc is None or is_ours(token):
            found = authenticate(token, keys=self.keys, signing=self.signing, now=now)
        elif self.oidc.at_hand(token):
            found = self.oidc.authenticate(token, now=now)
        else:
            if self._askers.statistics().tasks_waiting >= MOST_WAITING:
                raise IssuerUnavailable("Too many requests wait for the issuer's keys.", fix="Try again in a moment.")
            check = partial(self.oidc.authenticate, token, now=now)
            found = await anyio.to_thread.run_sync(check, limiter=self._askers)
        identify(request, found)
        request.state.principal = found
        return found

    def _session(self, request: Request, now: datetime) -> Principal:
        """Who has our pages open. No token of the API is taken from a cookie."""
        session = self.cookies.of(request, Page.log)
        if not session:
            raise Unauthenticated(
                "The request carries no credential.",
                fix="Send `Authorization: Bearer <token>`; POST /v1/token gives one.",
            )
        require_same_origin(request)
        return authenticate_session(session, keys=self.keys, signing=self.signing, now=now)

    def require_export(self, scope: TenantScope, behind: str = "link") -> None:
        """Raise Unauthenticated or Forbidden when whoever began an export, or has a link to it, may not have it now."""
        now, operators = datetime.now(UTC), scope.tenant == OURS
        require_standing(scope, Permission.export, keys=self.keys, now=now, operators=operators, behind=behind)

    def authorize(
        self,
        *any_of: Permission,
        named_in: Callable[[Request], str | None] | None = None,
        header: str = TENANT_HEADER,
        even_off: bool = False,
    ) -> Callable[..., Awaitable[TenantScope]]:
        """A FastAPI dependency that gives a request's TenantScope, or raises what `Principal.scope` raises.

        It takes one of the permissions; a route that needs another as well asks the scope for it.
        `named_in` finds the tenant that a request names, where that is not `named_tenant`'s to find; `header` is what
        errors call its place. Who may read or export gets LogsDisabled while the tenant's audit logs are switched off,
        unless `even_off`.
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
            request.state.permission = any_of[0]  # tells the audit trail what an answer means
            auditor_of(request).tenant = principal.tenant or named
            permission = principal.require(*any_of)
            if named == OURS and principal.tenant is None:
                principal.require(Permission.admin)  # there it says what operators did
            found = principal.scope(permission, named, header=header)
            if self._enablement and permission in _VIEWS and not even_off and not before_body(request):
                await self._enablement.require_enabled(found.tenant)
            return found

        return scope

    def environment(self, *any_of: Permission) -> Callable[..., Awaitable[Principal]]:
        """A FastAPI dependency for what belongs to the whole environment: no tenant's credential may touch it, and
        another needs one of the permissions."""

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
                    "This is the whole environment's, and the credential belongs to one tenant.",
                    fix="Use a client that is not bound to a tenant.",
                )
            return found

        return principal

    def any_principal(self) -> Callable[..., Awaitable[Principal]]:
        """A FastAPI dependency that gives whoever asks, by a token or by a session's cookie."""

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
        """A FastAPI dependency that gives whoever sent a token in a header. What they may do is the route's to ask, but
        for a `permission` that whoever lacks is refused without."""

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
    """Tell the access log and the audit trail who asks."""
    request.state.who = f"{found.kind}:{found.subject}"
    auditor = auditor_of(request)
    auditor.actor_id, auditor.actor_type, auditor.tenant = found.subject, _ACTOR_TYPES[found.kind], found.tenant
    auditor.client_id = found.client_id if found.client_id != found.subject else ""


def credential_from(request: Request) -> str:
    """The token in `Authorization: Bearer`, else in `x-access-token`, else empty; the first there is counts."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated(
                "The header Authorization carries no bearer token.", fix="Send `Authorization: Bearer <token>`."
            )
        return token.strip()
    return request.headers.get(ACCESS_TOKEN_HEADER, "")


def require_same_origin(request: Request) -> None:
    """Raise Forbidden when a session's cookie comes with a change that another site may have asked for."""
    if request.method not in _SAFE and not _from_our_pages(request):
        raise Forbidden("A session only takes changes from our own pages.", fix="Send a token instead of the cookie.")


def require_not_cross_site(request: Request) -> None:
    """Raise Forbidden when a browser says that another site asks for this."""
    if request.headers.get("sec-fetch-site") not in (None, "none", "same-origin"):
        raise Forbidden("This is only done for our own pages.", fix="Open the link itself.")


def _from_our_pages(request: Request) -> bool:
    """Browsers attach the cookie to whatever asks; only they set this header, and no page can."""
    return request.headers.get("sec-fetch-site") == "same-origin"


def tenant_in_path(request: Request) -> str:
    """The tenant in the route's path; the header may repeat it. Raises InvalidInput when it cannot be one."""
    path, named = str(request.path_params["tenant"]), named_tenant(request)
    if not is_tenant(path):
        raise InvalidInput("The path names no tenant id.", field="tenant", fix=_TENANT_FORM)
    if named not in (None, path):
        raise InvalidInput(f"The path and the header {TENANT_HEADER} name different tenants.", field=TENANT_HEADER)
    return path


def named_tenant(request: Request, header: str = TENANT_HEADER) -> str | None:
    """The tenant in the header, None without one. Raises InvalidInput when it cannot be one, or is named twice."""
    named = request.headers.getlist(header)
    if len(named) > 1:
        raise InvalidInput(f"{header} is there more than once.", field=header, fix="Send it once.")
    if named and not is_tenant(named[0]):
        raise InvalidInput(
            f"{header} is not a tenant id.",
            field=header,
            fix=_TENANT_FORM,
        )
    return named[0] if named else None
