"""How many queries of one tenant run at once: one tenant's dashboards must not take what others need."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from auditlane.runtime.errors import RateLimited
from auditlane.runtime.settings import variable


class Turns:
    """At most `at_once` for each tenant. Thread-safe; nobody waits: what is too much is refused at once."""

    def __init__(self, at_once: int, *, what: str = "queries", setting: str = "query_concurrency") -> None:
        """`what` is counted, and `setting` bounds it; for the error."""
        self._at_once = at_once
        self._what = what
        self._setting = setting
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def of(self, tenant: str) -> Iterator[None]:
        """Hold one of the tenant's turns. Raises RateLimited when all are taken."""
        with self._lock:
            if self._taken[tenant] >= self._at_once:
                raise RateLimited(
                    f"{self._at_once} {self._what} of this tenant are running already.",
                    fix=f"Repeat the request after Retry-After seconds; {variable(self._setting)} is the bound.",
                )
            self._taken[tenant] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[tenant] -= 1
                if not self._taken[tenant]:
                    del self._taken[tenant]
