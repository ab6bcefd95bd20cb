"""Download links for browsers, which send no header when they follow one: a signed code that names what it opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.access.trail import Witness
from auditlane.runtime.errors import Unauthenticated

PURPOSE: Final = "auditlane-export+jwt"
PATH: Final = "/v1/download"
QUERY_TTL: Final = timedelta(minutes=1)
JOB_TTL: Final = timedelta(minutes=15)  # a download that began goes on; one that broke off may be taken up again


class Signer(Protocol):
    """What the signing keys do."""

    def sign(self, purpose: str, claims: Mapping[str, Any], *, now: datetime, ttl: timedelta) -> str: ...
    def verify(self, purpose: str, token: str, *, now: datetime) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """What a code stands for: an export's pairs, or a job's id; for whom, and who asked for the link."""

    scope: TenantScope
    actor_type: str
    pairs: tuple[tuple[str, str], ...] = ()
    job: str = ""

    def identify(self, witness: Witness) -> None:
        """Tell the audit trail who downloads."""
        witness.tenant = self.scope.tenant
        witness.actor_id, witness.actor_type = self.scope.actor, self.actor_type


class Links:
    """Signs and opens codes. `url` is where clients reach the service; empty: each request's own address."""

    def __init__(self, signer: Signer, url: str = "") -> None:
        self._signer = signer
        self._url = url

    def of_export(self, scope: TenantScope, witness: Witness, pairs: list[tuple[str, str]], *, base: str) -> str:
        """A link that downloads what these pairs (format, columns, filter) ask for, for a minute."""
        return self._link(scope, witness, {"pairs": pairs}, QUERY_TTL, base)

    def of_job(self, scope: TenantScope, witness: Witness, job: str, *, base: str) -> str:
        """A link to a job's file, for a quarter of an hour."""
        return self._link(scope, witness, {"job": job}, JOB_TTL, base)

    def open(self, code: str) -> Opened:
        """Raises TokenExpired, and Unauthenticated for a code that `Links` did not make."""
        claims = self._signer.verify(PURPOSE, code, now=datetime.now(UTC))
        try:
            pairs = tuple((str(name), str(value)) for name, value in claims.get("pairs", ()))
            scope = TenantScope.authorized_before(str(claims["tenant"]), str(claims["sub"]), Permission.export)
            return Opened(scope, str(claims["actor_type"]), pairs, str(claims.get("job", "")))
        except (KeyError, TypeError, ValueError) as error:
            raise Unauthenticated("The link does not verify.", fix="Ask for a new link.") from error

    def _link(self, scope: TenantScope, witness: Witness, what: dict[str, Any], ttl: timedelta, base: str) -> str:
        who = {"tenant": scope.tenant, "sub": scope.actor, "actor_type": witness.actor_type}
        code = self._signer.sign(PURPOSE, who | what, now=datetime.now(UTC), ttl=ttl)
        return f"{(self._url or base).rstrip('/')}{PATH}?{urlencode({'code': code})}"
