"""Looks for a canary event in the places where readers would see it: the query API, or the store, which is read in the
same way.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.access.signing import SigningKeys
from auditlane.access.tokens import Viewer, mint_viewer_token
from auditlane.contract.tenants import OURS
from auditlane.query.clickhouse.executor import Limits as QueryLimits
from auditlane.query.filters import Filter
from auditlane.query.reader import Reader
from auditlane.runtime.settings import Settings
from auditlane.sdk.reader import AuditReader

NAME: Final = "canary"  # the actor of the canary's events and reads
_TIMEOUT_S: Final = 5.0
_AT: Final = timedelta(microseconds=1)  # the precision of an event's time
_FEW: Final = 10  # maximum number of events within one microsecond
_TOKEN_LIFE: Final = timedelta(hours=1)


class Sight(Protocol):
    """Reads the log of `_auditlane`. Must be used from one thread."""

    def sees(self, event_id: str, at: datetime) -> bool:
        """Return whether the event with this id and time is visible. Raises AuditlaneError if the log cannot be
        read.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class StoreSight:
    """Reads the store with the statement of `GET /v1/events`."""

    def __init__(self, settings: Settings) -> None:
        self._reader = Reader(settings, QueryLimits(page_s=_TIMEOUT_S))
        self._scope = TenantScope.for_operator(OURS)

    def sees(self, event_id: str, at: datetime) -> bool:
        """See Sight."""
        page = self._reader.page(self._scope, Filter(since=at, until=at + _AT), limit=_FEW)
        return any(event.event_id == event_id for event in page.events)

    def close(self) -> None:
        """See Sight."""
        self._reader.close()


class ApiSight:
    """Requests `GET /v1/events` from `serve`, with a viewer token that it mints with the signing keys."""

    def __init__(self, url: str, signing: SigningKeys) -> None:
        """Prepare the reader without connecting. Raises ConfigError if the URL is invalid."""
        self._url, self._signing = url, signing
        self._renew_at = datetime.now(UTC)
        self._reader = self._connected(self._renew_at)

    def sees(self, event_id: str, at: datetime) -> bool:
        """See Sight."""
        if (now := datetime.now(UTC)) >= self._renew_at:
            self._reader.close()
            self._reader = self._connected(now)
        return any(event.event_id == event_id for event in self._reader.events(from_=at, to=at + _AT, limit=_FEW))

    def close(self) -> None:
        """See Sight."""
        self._reader.close()

    def _connected(self, now: datetime) -> AuditReader:
        self._renew_at = now + _TOKEN_LIFE / 2
        viewer = Viewer(OURS, NAME, frozenset({Permission.read}))
        token = mint_viewer_token(self._signing, viewer, now=now, ttl=_TOKEN_LIFE).text
        return AuditReader(self._url, token=token, timeout_s=_TIMEOUT_S)
