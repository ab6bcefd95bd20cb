"""Limits the queries of one tenant that run at once, so that its dashboards cannot take what other tenants need."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from auditlane.runtime.errors import RateLimited
from auditlane.runtime.settings import variable


class TenantConcurrency:
    """At most `limit` for each tenant. Thread-safe. Never waits: a query over the limit is rejected at once."""

    def __init__(self, limit: int, *, what: str = "queries", setting: str = "query_concurrency") -> None:
        """`what` is counted, and `setting` is the limit's name; both are for the error."""
        self._limit = limit
        self._what = what
        self._setting = setting
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, tenant: str) -> Iterator[None]:
        """Hold one of the tenant's slots. Raises RateLimited when all are taken."""
        with self._lock:
            if self._running[tenant] >= self._limit:
                raise RateLimited(
                    f"{self._limit} {self._what} of this tenant are running already.",
                    fix=f"Repeat the request after Retry-After seconds; {variable(self._setting)} is the limit.",
                )
            self._running[tenant] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[tenant] -= 1
                if not self._running[tenant]:
                    del self._running[tenant]
