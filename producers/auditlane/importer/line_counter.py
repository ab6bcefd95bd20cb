"""Counts occurrences of identical lines. The count gives lines without an id distinct ids, the same in every run."""

from __future__ import annotations

import hashlib
import sqlite3


class LineCounter:
    """Counts lines in a temporary database that spills to disk. Memory is bounded by its cache of 16 MiB."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA cache_size = -16384")  # negative sizes are in KiB
        self._database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY, count INTEGER) WITHOUT ROWID")

    def next(self, text: bytes) -> tuple[str, str]:
        """Count one occurrence of a text.

        Returns the text's SHA-256 in hexadecimal, and the occurrence's number as text, starting from "1".
        """
        digest = hashlib.sha256(text)
        [(count,)] = self._database.execute(
            "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count",
            (digest.digest(),),
        ).fetchall()
        return digest.hexdigest(), str(count)

    def __del__(self) -> None:
        self._database.close()
