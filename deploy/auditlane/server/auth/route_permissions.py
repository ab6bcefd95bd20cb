"""The table of the credentials and permissions that each route requires. The docs and `openapi.json` are generated from
it, and tests check every cell against every route.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from auditlane.access.permissions import VIEWER, Permission


class Whose(StrEnum):
    """The kinds of credentials that a route accepts. The value is shown in the docs."""

    anybody = "anybody"
    key = "a key's id and secret"
    code = "a link's code"
    credential = "any credential"
    tenant = "tenant"  # a credential for the request's tenant, which an environment-wide key names in the request
    page = "tenant's page"  # a page session for one tenant, regardless of the tenant in the request
    client = "client"  # a key's token, limited to the key's own permissions
    environment = "environment"  # a key that is not bound to a tenant
    console = "console"  # an operator's console session


class Cell(StrEnum):
    """The access that a credential with a single permission has to a route."""

    no = ""
    own = "own"
    all = "all"
    console = "console"
    any = "any"


@dataclass(frozen=True, slots=True)
class Right:
    """A route and the permissions that it requires. A caller needs all of `needs`. `what` distinguishes requests to the
    same route that require different permissions.
    """

    route: str
    whose: Whose
    needs: tuple[Permission, ...] = ()
    what: str = ""

    def __str__(self) -> str:
        return f"{self.route} ({self.what})" if self.what else self.route

    def cell(self, permission: Permission) -> Cell:
        """Return the access for a credential with only this permission. (Operators also have `audits:admin`.)"""
        match self.whose:
            case Whose.anybody | Whose.key | Whose.code:
                return Cell.any
            case Whose.credential | Whose.page:
                return Cell.own
            case Whose.client:  # grants only its own permissions
                return Cell.own if permission in VIEWER else Cell.no
            case Whose.tenant:
                return Cell.own if self.needs == (permission,) else Cell.no
            case Whose.environment:
                return Cell.all if self.needs == (permission,) else Cell.no
            case Whose.console:
                return Cell.console if {*self.needs} <= {permission, Permission.admin} else Cell.no


def _rows() -> Iterator[Right]:
    read, export, write, admin = Permission.read, Permission.export, Permission.write, Permission.admin
    configure = Permission.configure

    def each(whose: Whose, needs: Permission | None, *routes: str) -> Iterator[Right]:
        for route in routes:
            yield Right(route, whose, () if needs is None else (needs,))

    yield from each(Whose.tenant, write, "POST /v1/events", "POST /audits")
    yield from each(Whose.tenant, configure, "POST /v1/test-event")
    yield from each(
        Whose.tenant,
        read,
        "GET /v1/events",
        "GET /v1/events/stream",
        "GET /v1/events/{event_id}",
        "GET /v1/check",
        "GET /v1/facets",
        "GET /v1/histogram",
        "GET /v1/stats",
        "GET /v1/stats/groups",
        "GET /audits",
        "GET /audits/resources/audits/v2",
        "GET /audits/stats",
        "GET /audits/resources/metrics/v1",
        "GET /metadata",
        "GET /metadata/ip/{ip}",
        "GET /plain",
        "GET /v1/views",
        "GET /v1/views/{view_id}",
        "DELETE /v1/views/{view_id}",
    )
    for route in ("POST /v1/views", "PUT /v1/views/{view_id}"):
        yield Right(route, Whose.tenant, (read,), "own")
        yield Right(route, Whose.tenant, (read, configure), "shared")
    yield from each(
        Whose.tenant,
        export,
        "GET /v1/export",
        "GET /v1/last-download",
        "POST /v1/export-links",
        "POST /v1/exports",
        "GET /v1/exports",
        "GET /v1/exports/{export_id}",
        "GET /v1/exports/{export_id}/file",
        "HEAD /v1/exports/{export_id}/file",
        "DELETE /v1/exports/{export_id}",
        "POST /audits/export/csv",
        "POST /audits/export/csv/v2",
        "POST /audits/export/pdf",
        "POST /audits/resources/audits/v2/export/csv",
    )
    yield from _structure("/v1/tenants/{tenant}/structure", Whose.tenant, read)
    yield from _structure("/v1/structure", Whose.environment, configure)
    yield from each(Whose.environment, configure, "POST /v1/structure/actions", "DELETE /v1/structure/actions/{name}")
    yield from each(Whose.environment, configure, "POST /metadata")
    yield from each(
        Whose.environment,
        admin,
        "GET /v1/admin/tenants",
        "GET /v1/admin/lag",
        "GET /v1/admin/rate",
        "GET /v1/admin/dead-letters",
        "GET /v1/admin/health",
        "GET /v1/admin/history",
        "GET /v1/admin/timeline",
        "POST /v1/admin/console-links",
    )
    yield from each(Whose.client, None, "POST /v1/viewer-tokens")
    yield from each(Whose.credential, None, "GET /v1/session")
    yield from each(Whose.page, None, "GET /")
    yield from each(Whose.console, admin, "GET /console", "GET /console/settings", "POST /console/view")
    yield from each(
        Whose.console,
        admin,
        "GET /console/tenants",
        "GET /console/keys",
        "GET /console/dead-letters",
        "GET /console/dead-letters/letter",
        "POST /console/dead-letters/replay",
        "POST /console/dead-letters/close",
    )
    yield from each(Whose.console, admin, "GET /console/v1/session")
    yield from _structure("/console/v1/tenants/{tenant}/structure", Whose.console, read)
    yield from _structure("/console/v1/structure", Whose.console, configure)
    yield from each(
        Whose.console, configure, "POST /console/v1/structure/actions", "DELETE /console/v1/structure/actions/{name}"
    )
    yield from each(Whose.key, None, "POST /v1/token", "POST /auth/vendor", "POST /vendors/auth/token")
    yield from each(Whose.code, None, "GET /enter", "POST /enter", "GET /v1/download", "HEAD /v1/download")
    yield from each(
        Whose.anybody,
        None,
        "POST /leave",
        "GET /embed",
        "GET /health/live",
        "GET /health/ready",
        "GET /metrics",
        "GET /static/{file}",
        "GET /static/viewer/{name:path}",
        "HEAD /static/viewer/{name:path}",
    )


def _structure(path: str, whose: Whose, to_read: Permission) -> Iterator[Right]:
    shown, decided = Permission.configure, Permission.contract
    yield Right(f"GET {path}", whose, (to_read,))
    yield Right(f"PUT {path}", whose, (shown,))
    yield Right(f"GET {path}/fields", whose, (to_read,))
    yield Right(f"POST {path}/fields", whose, (decided,))
    yield Right(f"PUT {path}/fields/{{name}}", whose, (shown,), "display")
    yield Right(f"PUT {path}/fields/{{name}}", whose, (decided,), "type, default, rules, exclusive")
    yield Right(f"PUT {path}/fields/{{name}}", whose, (shown, decided), "both")
    yield Right(f"DELETE {path}/fields/{{name}}", whose, (decided,))
    yield Right(f"GET {path}/actions", whose, (to_read,))
    yield Right(f"GET {path}/history", whose, (to_read,))


RIGHTS: Final = tuple(_rows())


def route_of(method: str, path: str) -> str:
    """Return a route's name in the table. Static files' names there do not contain a content hash."""
    return f"{method} {re.sub(r'^/static/[a-z]+-[0-9a-f]+[.](css|js)$', '/static/{file}', path)}"


def needs_of(route: str) -> list[Permission]:
    """Return every permission that any request to this route requires."""
    return sorted({permission for right in RIGHTS if right.route == route for permission in right.needs})
