"""Which one-time links were opened: of everybody who claims one, in whatever process or replica, only one gets it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Final

from clickhouse_connect.driver.client import Client

from auditlane.runtime.errors import StoreUnavailable
from auditlane.store.client import store_errors

_SETTLES_S: Final = 3.0  # for a claim to be seen by the replica that is asked
_LOOK_S: Final = 0.1


class LinkClaims:
    """Claims in the table `link_claims`. Thread-safe.

    Claimers of one link insert under one deduplication token, so that ClickHouse (in a cluster: its Keeper) stores one
    row, and the row's `claim_id` tells who was first. A claim counts only when it is the link's single row, so not even
    an insert that was not deduplicated opens a link twice.
    """

    def __init__(self, connect: Callable[[], Client], database: str) -> None:
        self._connect = connect
        self._database = database
        # What this process claimed without hearing whether it was stored: nobody was let in, so another try may use it.
        self._unsettled: dict[str, tuple[uuid.UUID, datetime]] = {}
        self._lock = threading.Lock()

    def claim(self, jti: str, *, until: datetime, now: datetime) -> bool:
        """Whether the caller is the one whom the link lets in; at most once True. `until` is when the link ends.

        Raises StoreUnavailable or StoreRefused when ClickHouse cannot say: the link was not used then.
        """
        claim_id = self._begun(jti, now)
        try:
            return self._claimed(jti, claim_id, until)
        except BaseException:
            with self._lock:
                self._unsettled[jti] = claim_id, until
            raise

    def _begun(self, jti: str, now: datetime) -> uuid.UUID:
        """The id of a claim that was left unsettled, taken by one caller only; else a new one."""
        with self._lock:
            self._unsettled = {one: left for one, left in self._unsettled.items() if left[1] > now}
            left = self._unsettled.pop(jti, None)
        return left[0] if left else uuid.uuid4()

    def _claimed(self, jti: str, claim_id: uuid.UUID, until: datetime) -> bool:
        with store_errors():
            client = self._connect()
            # Asked first: a ClickHouse that is away is mostly noticed here, where nothing has been written yet.
            if found := self._stored(client, jti):
                return found == [claim_id]
            client.insert(
                "link_claims",
                [[jti, claim_id, until]],
                column_names=["jti", "claim_id", "expires_at"],
                database=self._database,
                settings={"insert_deduplication_token": f"link:{jti}", "async_insert": 0},
            )
            ends = time.monotonic() + _SETTLES_S
            while not (found := self._stored(client, jti)):
                if time.monotonic() >= ends:
                    raise StoreUnavailable(
                        "ClickHouse does not show yet who opened the link first.", fix="Try again in a moment."
                    )
                time.sleep(_LOOK_S)
        return found == [claim_id]

    def _stored(self, client: Client, jti: str) -> list[uuid.UUID]:
        rows = client.query(
            "SELECT claim_id FROM {database:Identifier}.link_claims WHERE jti = {jti:String}",
            parameters={"database": self._database, "jti": jti},
        ).result_rows
        return [row[0] for row in rows]
