"""Download links for browsers, which do not send credentials when they follow a link.

A signed code identifies the download.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from auditlane.access.audit import RequestAuditor
from auditlane.access.base_url import base_of
from auditlane.access.links import link_errors
from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query.base_filter import marked, unmarked
from auditlane.runtime.errors import Unauthenticated

PURPOSE: Final = "auditlane-export+jwt"
DOWNLOAD_PATH: Final = "/v1/download"
QUERY_TTL: Final = timedelta(minutes=1)
JOB_TTL: Final = timedelta(minutes=15)  # a download that has started continues; an interrupted one can be resumed


class RequireStanding(Protocol):
    """Raises Unauthenticated or Forbidden if the requester of an export or of a link has lost access."""

    def __call__(self, scope: TenantScope, behind: str = "link") -> None:
        """Check the requester. `behind` is what the error message calls the link or export."""
        ...


class Signer(Protocol):
    """Signs and verifies claims, as the signing keys do."""

    def sign(self, purpose: str, claims: Mapping[str, Any], *, now: datetime, ttl: timedelta) -> str: ...
    def verify(self, purpose: str, token: str, *, now: datetime) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class LinkTarget:
    """The target of a code: an export (its parameters) or a job (its id), and the scope for which the code was
    signed.
    """

    scope: TenantScope
    actor_type: str
    pairs: tuple[tuple[str, str], ...] = ()
    job: str = ""
    actor_name: str = ""

    def identify(self, auditor: RequestAuditor) -> None:
        """Name the person who downloads in the audit log."""
        auditor.tenant = self.scope.tenant
        auditor.actor_id, auditor.actor_type = self.scope.actor, self.actor_type
        auditor.actor_name = self.actor_name or None
        auditor.client_id = self.scope.client_id if self.scope.client_id != self.scope.actor else ""


class DownloadLinks:
    """Signs and verifies download codes.

    `url` is the service's public URL, and defaults to the listen address. `require_standing` raises an error if the
    requester has lost access to the link's content.
    """

    def __init__(self, signer: Signer, require_standing: Callable[[TenantScope], None], url: str = "") -> None:
        self._signer = signer
        self._require_standing = require_standing
        self._url = url

    def base(self, request: Any) -> str:
        """Return the base URL for links in this request. Raises InvalidInput if its Host header does not name this
        service.
        """
        return base_of(request, self._url)

    def of_export(self, scope: TenantScope, auditor: RequestAuditor, pairs: list[tuple[str, str]], *, base: str) -> str:
        """Return a link to the export with these parameters (format, columns, filter). It is valid for one minute."""
        return self._link(scope, auditor, {"pairs": marked(scope, pairs)}, QUERY_TTL, base)

    def of_job(self, scope: TenantScope, auditor: RequestAuditor, job: str, *, base: str) -> str:
        """Return a link to the file of a job. It is valid for 15 minutes."""
        return self._link(scope, auditor, {"pairs": marked(scope, ()), "job": job}, JOB_TTL, base)

    def open(self, code: str) -> LinkTarget:
        """Verify a code. Raises TokenExpired if it has expired, and Unauthenticated if it is forged or its requester
        was revoked.
        """
        with link_errors():
            claims = self._signer.verify(PURPOSE, code, now=datetime.now(UTC))
        try:
            base, pairs = unmarked((str(name), str(value)) for name, value in claims.get("pairs", ()))
            tenant, actor, client = (str(claims[name]) for name in ("tenant", "sub", "client"))
            scope = TenantScope.authorized_before(tenant, actor, Permission.export, client, base)
            job, name = str(claims.get("job", "")), str(claims.get("actor_name", ""))
            opened = LinkTarget(scope, str(claims["actor_type"]), pairs, job, name)
        except (KeyError, TypeError, ValueError) as error:
            raise Unauthenticated("The link is not valid.", fix="Ask for a new link.") from error
        self._require_standing(scope)
        return opened

    def _link(
        self, scope: TenantScope, auditor: RequestAuditor, what: dict[str, Any], ttl: timedelta, base: str
    ) -> str:
        who = {"tenant": scope.tenant, "sub": scope.actor, "client": scope.client_id}
        who |= {"actor_type": auditor.actor_type, "actor_name": auditor.actor_name or ""}
        code = self._signer.sign(PURPOSE, who | what, now=datetime.now(UTC), ttl=ttl)
        return f"{base}{DOWNLOAD_PATH}?{urlencode({'code': code})}"
