"""A ClickHouse client that is made when it is first needed, by whichever thread needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from clickhouse_connect.driver.client import Client


class LazyClient:
    """`client()` from any number of threads. Thread-safe."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._client: Client | None = None
        self._lock = threading.Lock()

    def client(self) -> Client:
        """The one client. Raises what connecting raises, each thread for itself.

        Nobody waits for another's attempt: with a ClickHouse that hangs, the waits would add up.
        """
        if self._client is not None:
            return self._client
        made = self._connect()
        with self._lock:
            if self._client is None:
                self._client = made
                return made
            kept = self._client
        made.close()
        return kept

    def close(self) -> None:
        """Close the connections; the next use makes new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
