"""How often each line was seen: identical lines without an id get different ids, the same ones each time."""

from __future__ import annotations

import hashlib
import sqlite3


class LineCounter:
    """A temporary database that spills to disk, so memory stays bounded by its cache (16 MiB)."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA cache_size = -16384")  # KiB
        self._database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY, count INTEGER) WITHOUT ROWID")

    def next(self, text: bytes) -> tuple[str, str]:
        """Count one more; (the text's SHA-256 in hexadecimal, which occurrence this is, from "1")."""
        digest = hashlib.sha256(text)
        [(count,)] = self._database.execute(
            "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count",
            (digest.digest(),),
        ).fetchall()
        return digest.hexdigest(), str(count)

    def __del__(self) -> None:
        self._database.close()
