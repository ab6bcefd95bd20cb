"""Record which one-time links were opened: of all callers that claim a link, in any process, only one succeeds."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import datetime

from clickhouse_connect.driver.client import Client

from auditlane.runtime.errors import StoreUnavailable
from auditlane.store.claims import insert_claim
from auditlane.store.client import store_errors


class LinkClaims:
    """Claims in the table `link_claims`. Thread-safe.

    Callers that claim a link insert under one deduplication token, so that ClickHouse (in a cluster: its Keeper) stores
    one row, whose `claim_id` identifies the first caller. A claim is valid only if it is the link's single row, so that
    even an insert that was not deduplicated cannot open a link twice.
    """

    def __init__(self, connect: Callable[[], Client], database: str) -> None:
        self._connect = connect
        self._database = database
        # Claims whose outcome is unknown: they opened no session, so that a later attempt may reuse their ids.
        self._unsettled: dict[str, tuple[uuid.UUID, datetime]] = {}
        self._lock = threading.Lock()

    def claim(self, jti: str, *, until: datetime, now: datetime) -> bool:
        """Claim a link that expires at `until`. Returns True to at most one caller, whom the link then admits.

        Raises StoreUnavailable or StoreRefused if the claim cannot be decided; in that case the link is unused.
        """
        claim_id = self._begun(jti, now)
        try:
            return self._claimed(jti, claim_id, until)
        except BaseException:
            with self._lock:
                self._unsettled[jti] = claim_id, until
            raise

    def _begun(self, jti: str, now: datetime) -> uuid.UUID:
        """Return the id of this link's claim whose outcome is unknown, to one caller only, or else a new id."""
        with self._lock:
            self._unsettled = {link: claim for link, claim in self._unsettled.items() if claim[1] > now}
            unsettled = self._unsettled.pop(jti, None)
        return unsettled[0] if unsettled else uuid.uuid4()

    def _claimed(self, jti: str, claim_id: uuid.UUID, until: datetime) -> bool:
        with store_errors():
            client = self._connect()
            # Query first: an unavailable ClickHouse is usually noticed here, before anything has been written.
            if found := self._stored(client, jti):
                return found == [claim_id]
            found = insert_claim(
                client,
                self._database,
                "link_claims",
                {"jti": jti, "claim_id": claim_id, "expires_at": until},
                token=f"link:{jti}",
                stored=lambda: self._stored(client, jti),
                unsettled=StoreUnavailable(
                    "ClickHouse does not show the link's claim yet.", fix="Open the link again in a moment."
                ),
            )
        return found == [claim_id]

    def _stored(self, client: Client, jti: str) -> list[uuid.UUID]:
        rows = client.query(
            "SELECT claim_id FROM {database:Identifier}.link_claims WHERE jti = {jti:String}",
            parameters={"database": self._database, "jti": jti},
        ).result_rows
        return [row[0] for row in rows]
