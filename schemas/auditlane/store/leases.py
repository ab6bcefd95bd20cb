"""Leases in the table `leases`. Of all processes that use a name, one holds the lease, and its state passes to the next
holder.

A lease is a sequence of claims with rising epochs. Its owner claims the next epoch with each renewal. Another process
claims it only once the newest claim has expired, by ClickHouse's clock alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from clickhouse_connect.driver.client import Client

from auditlane.runtime.errors import StoreUnavailable
from auditlane.store.claims import insert_claim
from auditlane.store.client import store_errors

_NEWEST: Final = """
SELECT epoch, owner, expires_at, state, now64(3)
FROM {database:Identifier}.leases WHERE name = {name:String} ORDER BY epoch DESC LIMIT 1
"""
_SINCE: Final = """
SELECT owner FROM {database:Identifier}.leases WHERE name = {name:String} AND epoch >= {epoch:UInt64}
"""
_NO_OWNER: Final = uuid.UUID(int=0)


def load_state(client: Client, database: str, name: str) -> str:
    """Return the state stored under a name, or "". A process must not hold a lease with that name."""
    with store_errors():
        rows = client.query(_NEWEST, parameters={"database": database, "name": name}).result_rows
    return str(rows[0][3]) if rows else ""


def keep_state(client: Client, database: str, name: str, epoch: int, state: str) -> None:
    """Store a state under a name, unless one with a higher epoch is stored. Merges remove all others, so the number of
    rows does not grow with the number of calls.
    """
    columns = {"name": name, "epoch": epoch, "owner": _NO_OWNER, "expires_at": datetime.now(UTC), "state": state}
    with store_errors():
        client.insert(
            "leases",
            [list(columns.values())],
            column_names=list(columns),
            database=database,
            settings={"insert_deduplication_token": f"state:{name}:{epoch}"},
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease's newest claim. `now` is the time by ClickHouse's clock, which decides `expired`. Without a claim, the
    epoch is 0.
    """

    epoch: int
    owner: uuid.UUID
    expired: bool
    state: str
    now: datetime


class Lease:
    """One process's view of a lease. Not thread-safe.

    Methods raise StoreUnavailable or StoreRefused. If a claim raises an error, its outcome is unknown until `newest` is
    called.
    """

    def __init__(self, connect: Callable[[], Client], database: str, name: str, *, duration: timedelta) -> None:
        self._connect = connect
        self._database = database
        self._name = name
        self._duration = duration
        self.owner: Final = uuid.uuid4()  # identifies this process

    def newest(self) -> Claim:
        """Return the newest claim."""
        with store_errors():
            client = self._connect()
            rows = client.query(_NEWEST, parameters=self._parameters()).result_rows
            if not rows:
                now = client.query("SELECT now64(3)").result_rows[0][0]
                return Claim(0, _NO_OWNER, expired=True, state="", now=_aware(now))
        epoch, owner, expires_at, state, now = rows[0]
        return Claim(int(epoch), owner, _aware(expires_at) <= _aware(now), str(state), _aware(now))

    def claim(self, after: Claim, state: str) -> bool:
        """Claim the epoch after `after` with a new state. Returns False if another process was first."""
        return self._claim(after, state, self._duration)

    def release(self, after: Claim, state: str) -> None:
        """Let the next process claim the lease immediately."""
        self._claim(after, state, timedelta(0))

    def _claim(self, after: Claim, state: str, duration: timedelta) -> bool:
        epoch = after.epoch + 1
        with store_errors():
            client = self._connect()
            found = insert_claim(
                client,
                self._database,
                "leases",
                {
                    "name": self._name,
                    "epoch": epoch,
                    "owner": self.owner,
                    "expires_at": after.now + duration,
                    "state": state,
                },
                token=f"lease:{self._name}:{epoch}",
                stored=lambda: self._owners_since(client, epoch),
                unsettled=StoreUnavailable("ClickHouse does not yet return the claim of the lease."),
            )
        return found == [self.owner]

    def _owners_since(self, client: Client, epoch: int) -> list[uuid.UUID]:
        rows = client.query(_SINCE, parameters=self._parameters() | {"epoch": epoch}).result_rows
        return [row[0] for row in rows]

    def _parameters(self) -> dict[str, object]:
        return {"database": self._database, "name": self._name}


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
