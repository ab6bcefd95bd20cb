"""Claims: of all processes that insert a row under one name, exactly one succeeds.

They insert under one deduplication token, so that ClickHouse (in a cluster: its Keeper) stores one row, which
identifies the first of them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from auditlane.runtime.errors import StoreUnavailable

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
    """Insert a claim, and return who claimed: more than one only if ClickHouse did not deduplicate.

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
