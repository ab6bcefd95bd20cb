"""Claims of names. If several processes claim a name, exactly one of them succeeds.

They insert under the same deduplication token, so that ClickHouse (in a cluster, its Keeper) stores only the row of the
first one.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from auditlane.runtime.errors import StoreUnavailable
from auditlane.store.client import store_errors

_SETTLES_S: Final = 3.0  # time for a claim to become visible on the queried replica
_LOOK_S: Final = 0.1


def insert_claim(
    client: Client,
    database: str,
    table: str,
    row: Mapping[str, Any],
    *,
    token: str,
    stored: Callable[[], list[uuid.UUID]],
    unsettled: StoreUnavailable,
) -> list[uuid.UUID]:
    """Insert a claim, and return the claimants' ids. There are several only if ClickHouse did not deduplicate.

    `stored` reads the claims. Raises the driver's errors, or `unsettled` if no claim becomes visible: the outcome is
    then unknown.
    """
    client.insert(
        table,
        [list(row.values())],
        column_names=list(row),
        database=database,
        settings={"insert_deduplication_token": token, "async_insert": 0},
    )
    ends = time.monotonic() + _SETTLES_S
    while not (found := stored()):
        if time.monotonic() >= ends:
            raise unsettled
        time.sleep(_LOOK_S)
    return found


class StoredClaims:
    """Claims of one-time links and other names, in the table `link_claims`. Thread-safe.

    A claim is valid only if it is the name's single row, so that even an insert that was not deduplicated cannot open a
    link twice.
    """

    def __init__(self, connect: Callable[[], Client], database: str) -> None:
        self._connect = connect
        self._database = database
        # Claims whose outcome is unknown. No caller has acted on them, so a later attempt may reuse their ids.
        self._unsettled: dict[str, tuple[uuid.UUID, datetime]] = {}
        self._lock = threading.Lock()

    def claim(self, name: str, /, *, until: datetime, now: datetime) -> bool:
        """Claim a name, such as the id of a one-time link, until `until`. Returns True for at most one caller.

        Raises StoreUnavailable or StoreRefused if the claim cannot be decided. The name is then unclaimed.
        """
        claim_id = self._begun(name, now)
        try:
            return self._claimed(name, claim_id, until)
        except BaseException:
            with self._lock:
                self._unsettled[name] = claim_id, until
            raise

    def _begun(self, name: str, now: datetime) -> uuid.UUID:
        """Return a claim id for this name: that of an earlier claim whose outcome is unknown, given to only one caller,
        or else a new one.
        """
        with self._lock:
            self._unsettled = {other: claim for other, claim in self._unsettled.items() if claim[1] > now}
            unsettled = self._unsettled.pop(name, None)
        return unsettled[0] if unsettled else uuid.uuid4()

    def _claimed(self, name: str, claim_id: uuid.UUID, until: datetime) -> bool:
        with store_errors():
            client = self._connect()
            # Query first, since an unavailable ClickHouse is then usually noticed before anything has been written.
            if found := self._stored(client, name):
                return found == [claim_id]
            found = insert_claim(
                client,
                self._database,
                "link_claims",
                {"jti": name, "claim_id": claim_id, "expires_at": until},
                token=f"link:{name}",
                stored=lambda: self._stored(client, name),
                unsettled=StoreUnavailable(
                    "ClickHouse does not yet return the claim of this link.", fix="Try again in a moment."
                ),
            )
        return found == [claim_id]

    def _stored(self, client: Client, name: str) -> list[uuid.UUID]:
        rows = client.query(
            "SELECT claim_id FROM {database:Identifier}.link_claims WHERE jti = {jti:String}",
            parameters={"database": self._database, "jti": name},
        ).result_rows
        return [row[0] for row in rows]
