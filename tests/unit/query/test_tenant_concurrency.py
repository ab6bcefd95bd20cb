"""A tenant's queries: some run, some wait, the rest is rejected; other tenants are not affected."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from auditlane.query.clickhouse.cancellation import CancelScope
from auditlane.query.clickhouse.executor import TenantConcurrency
from auditlane.runtime.errors import RateLimited

LONG_S = 30.0


class Query:
    """A query in a thread of its own that holds its slot until `finish` is set."""

    def __init__(self, threads: ThreadPoolExecutor, concurrency: TenantConcurrency, tenant: str = "acme") -> None:
        self.scope = CancelScope()
        self.running = threading.Event()
        self.finish = threading.Event()
        self.result = threads.submit(self._run, concurrency, tenant)

    def _run(self, concurrency: TenantConcurrency, tenant: str) -> None:
        with self.scope.active(), concurrency.slot(tenant, LONG_S):
            self.running.set()
            assert self.finish.wait(LONG_S)


def test_a_query_over_the_number_at_once_waits_for_a_slot() -> None:
    concurrency = TenantConcurrency(3, 1)
    with ThreadPoolExecutor(3) as threads:
        first = Query(threads, concurrency)
        assert first.running.wait(LONG_S)
        second = Query(threads, concurrency)
        other = Query(threads, concurrency, "globex")
        assert other.running.wait(LONG_S)
        assert not second.running.is_set()
        first.finish.set()
        assert second.running.wait(LONG_S)
        for query in (second, other):
            query.finish.set()
            query.result.result(LONG_S)


def test_waiting_queries_count_towards_the_limit() -> None:
    concurrency = TenantConcurrency(2, 1)
    with ThreadPoolExecutor(2) as threads, concurrency.slot("acme"):
        waiting = Query(threads, concurrency)
        while concurrency._admitted["acme"] != 2:
            threading.Event().wait(0.001)
        with pytest.raises(RateLimited), concurrency.slot("acme", LONG_S):
            pass
        waiting.scope.cancel()
        with pytest.raises(RateLimited):
            waiting.result.result(LONG_S)
    assert concurrency._running == concurrency._admitted == {}


def test_a_query_whose_wait_is_over_is_rejected() -> None:
    concurrency = TenantConcurrency(2, 1)
    with concurrency.slot("acme"):
        with pytest.raises(RateLimited), concurrency.slot("acme", 0.0):
            pass
        with concurrency.slot("globex"):
            pass
    with concurrency.slot("acme"):
        pass
    assert concurrency._running == concurrency._admitted == {}
