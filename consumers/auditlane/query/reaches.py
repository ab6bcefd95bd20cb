"""Remembers how far the nearest events reach, so that a person who tries several filters does not wait for it again."""

from __future__ import annotations

from typing import Final

from auditlane.query.clickhouse.statements import Statement
from auditlane.query.windows import Reach
from auditlane.runtime.lru_cache import LruCache

KEPT_S: Final = 30.0
_MOST: Final = 1_000


class Reaches:
    """Keeps the results of `sql.compile_reach` for `KEPT_S` seconds. Thread-safe.

    An outdated reach is harmless: it only chooses the windows that divide a search, and these always cover all time.
    """

    def __init__(self) -> None:
        self._known: LruCache[str, tuple[float, Reach]] = LruCache(_MOST)

    def get(self, statement: Statement, now: float) -> Reach | None:
        """Return the result of this statement if it is recent. `now` is monotonic, in seconds."""
        at, reach = self._known.get(_key(statement)) or (now - KEPT_S, None)
        return reach if now - at < KEPT_S else None

    def put(self, statement: Statement, reach: Reach, now: float) -> None:
        """Remember the result of this statement."""
        self._known.put(_key(statement), (now, reach))


def _key(statement: Statement) -> str:
    return f"{statement.sql}\n{statement.parameters}"
