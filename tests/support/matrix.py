"""Requests for the rows of the permissions table, credentials for its columns, and the expected responses."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import urllib3
from serving import HOUR, Served
from surface import Operation, operations, sample

from auditlane.access.permissions import ROLES, VIEWER, Permission
from auditlane.access.tokens import Operator, Viewer, mint_client_token, mint_console_token, mint_viewer_token
from auditlane.server.auth.route_permissions import RIGHTS, Cell, Right, Whose, route_of

OURS, THEIRS = "acme", "globex"
LET_IN, NO_CREDENTIAL, NO_PERMISSION, OTHER_TENANT = "let in", "401", "FORBIDDEN", "TENANT_FORBIDDEN"
NOBODY = "nobody"  # a role without permissions, used only in these tests
_EVENT = "01890a5d-ac96-774b-bcce-b302099a8057"
_PLACES = {"tenant": OURS, "event_id": _EVENT, "export_id": "x", "view_id": "x", "name": "own_field", "ip": "192.0.2.1"}
_QUERIES = {"format": "jsonl", "field": "action", "code": "x"}
_BODIES: dict[str, Any] = {  # where the document's examples are not sufficient
    "POST /v1/events": {"action": "Login"},
    "POST /v1/test-event": {},
    "POST /v1/exports": {"format": "jsonl"},
    "POST /v1/export-links": {"format": "jsonl"},
    "POST /audits": {"action": "Login"},
    "POST /auth/vendor": {"clientId": "nobody", "secret": "x"},
    "POST /vendors/auth/token": {"clientId": "nobody", "secret": "x"},
    "POST /v1/token": {"client_id": "nobody", "secret": "x"},
    "POST /console/view": f"tenant={OURS}",
    "POST /console/dead-letters/replay": "id=x:0:0",
    "POST /console/dead-letters/close": "id=x:0:0&reason=test",
    "POST /enter": "code=x",
    "POST /v1/admin/console-links": {"user": "olga"},
}
_OF_WHAT: dict[str, Any] = {
    "display": {"displayName": "Own"},
    "type, default, rules, exclusive": {"rules": {"maxLength": 9}},
    "both": {"displayName": "Own", "rules": {"maxLength": 9}},
    "own": {"name": "Own"},
    "shared": {"name": "Shared", "shared": True},
}


@dataclass(frozen=True)
class Credential:
    """A credential. `of` is its tenant, or None if it covers the whole environment. An empty `token` stands for no
    credential.
    """

    kind: str
    of: str | None
    permission: Permission | None
    token: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.of or 'no tenant'} with {self.permission}"


class Matrix:
    """All cells of the permissions table, for one served app."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.operations = {route_of(one.method, one.path): one for one in operations(served.app)}
        self.credentials = list(self._credentials())

    def cells(self) -> Iterator[tuple[Right, Credential, str]]:
        """Yield each row with each credential and the expected response."""
        for right, credential in itertools.product(RIGHTS, self.credentials):
            if expected := answer(right, credential):
                yield right, credential, expected

    def send(self, right: Right, credential: Credential) -> tuple[int, str]:
        """Send a request, and return the response's status and error code. The body is read only for error
        responses.
        """
        operation = self.operations[right.route]
        headers, body = {"if-match": "*", "sec-fetch-site": "same-origin"}, _body(right, operation, credential)
        if credential.kind == "operator":
            headers["cookie"] = f"auditlane_console={credential.token}"
        elif credential.token:
            headers["authorization"] = f"Bearer {credential.token}"
        if right.whose in (Whose.tenant, Whose.credential, Whose.page) and "{tenant}" not in right.route:
            theirs = operation.path.startswith(("/audits", "/metadata"))
            headers["frontegg-tenant-id" if theirs else "auditlane-tenant"] = OURS
        query = {name: _QUERIES[name] for place, name in operation.parameters if place == "query" and name in _QUERIES}
        if "{" not in operation.path and operation.path.endswith("/download"):
            query = {"code": "x"}
        response = urllib3.request(
            operation.method,
            self.served.url + operation.at(_PLACES),
            fields=query if operation.method in ("GET", "HEAD") else None,
            body=body.encode() if isinstance(body, str) else None,
            json=body if isinstance(body, (dict, list)) else None,
            headers=headers | ({"content-type": "application/x-www-form-urlencoded"} if isinstance(body, str) else {}),
            redirect=False,
            retries=False,
            timeout=30.0,
            preload_content=False,
        )
        with contextlib.closing(response):
            is_problem = operation.method != "HEAD" and "problem+json" in response.headers.get("content-type", "")
            return response.status, response.json().get("code", "") if is_problem else ""

    def _credentials(self) -> Iterator[Credential]:
        now = datetime.now(UTC)
        yield Credential("nothing", None, None, "")
        for permission in Permission:
            for tenant in (OURS, THEIRS):
                if permission in VIEWER:
                    viewer = Viewer(tenant, "jane", frozenset({permission}))
                    token = mint_viewer_token(self.served.signing, viewer, now=now, ttl=HOUR)
                    yield Credential("viewer", tenant, permission, token.text)
            for bound in (OURS, THEIRS, None):
                client = self._client(permission, tenant=bound)
                token = mint_client_token(self.served.signing, client, now=now, ttl=HOUR)
                yield Credential("key", bound, permission, token.text)
            operator = Operator("olga", self._client(permission, Permission.admin).client_id)
            token = mint_console_token(self.served.signing, operator, now=now, ttl=HOUR)
            yield Credential("operator", None, permission, token.text)

    def _client(self, *permissions: Permission, tenant: str | None = None) -> Any:
        extra = tuple(dict.fromkeys(permissions))
        return self.served.keys.create(
            roles=(NOBODY,), extra_permissions=extra, tenant=tenant, now=datetime.now(UTC)
        ).client


@contextlib.contextmanager
def role_of_nobody() -> Iterator[None]:
    """Allow keys that have only individually granted permissions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ROLES, NOBODY, frozenset())
        yield


def answer(right: Right, credential: Credential) -> str | None:
    """Return the response that the table expects, or None if the cell cannot be tested."""
    whose, permission = right.whose, credential.permission
    if whose in (Whose.key, Whose.code):  # the request is wrong here, whatever the credential
        return NO_CREDENTIAL if permission in (None, Permission.admin) else None
    if whose is Whose.anybody:
        return LET_IN if permission in (None, Permission.admin) else None
    if permission is None or (credential.kind == "operator") is not (whose is Whose.console):
        return NO_CREDENTIAL
    match right.cell(permission), whose, credential.of:
        case _, Whose.page, None:
            return NO_CREDENTIAL
        case _, Whose.page, _:
            return LET_IN
        case _, Whose.client, of if credential.kind == "viewer" or of == THEIRS:
            return NO_PERMISSION
        case Cell.no, _, of if right.what and permission in _first_checks(right.route):
            foreign = of == THEIRS or (of is not None and whose is Whose.environment)
            return OTHER_TENANT if foreign else NO_PERMISSION
        case Cell.no, _, _:
            return NO_PERMISSION
        case Cell.own, _, of:
            return OTHER_TENANT if of == THEIRS else LET_IN
        case Cell.all, _, of:
            return LET_IN if of is None else OTHER_TENANT
        case _:
            return LET_IN


def _first_checks(route: str) -> set[Permission]:
    """Return the permissions that suffice for some request to this route. Permissions that depend on the body are
    checked last.
    """
    return {other.needs[0] for other in RIGHTS if other.route == route and len(other.needs) == 1}


def is_answer(status: int, code: str, expected: str) -> bool:
    """Return whether the response is the expected one. A page contains the code as text, and the response to HEAD has
    no body.
    """
    if expected == LET_IN:
        return status < 500 and status not in (401, 403)
    if expected == NO_CREDENTIAL:
        return status == 401 and code in ("", "UNAUTHENTICATED")
    return status == 403 and code in ("", expected)


def _body(right: Right, operation: Operation, credential: Credential) -> Any:
    if operation.method not in ("POST", "PUT", "PATCH"):
        return None
    if right.what in _OF_WHAT:
        return _OF_WHAT[right.what]
    if right.route == "POST /v1/viewer-tokens":
        gives = credential.permission if credential.permission in VIEWER else Permission.read
        return {"tenant": OURS, "user": "jane", "permissions": [gives]}
    if right.route.endswith("/structure/fields"):
        return {"name": "own_field"}
    if right.route.endswith("/structure"):
        return {}
    return _BODIES.get(right.route, sample(operation.body, operation.documented, {}))
