"""Faults of the network between workers and services, and of services that reject requests."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any

from fixtures.proxy import Proxy, a_produce
from fixtures.workers import WorkerProcess

from chaos.brokers import Proxies
from chaos.faults import Fault, happens
from chaos.pipeline import Pipeline

# Network faults.


def network(
    proxy_of: Callable[[Pipeline], Any], kind: str, arm: Callable[[Pipeline, Any], None]
) -> Callable[[Pipeline], Fault]:
    def inject(at: Pipeline) -> Fault:
        proxy = proxy_of(at)
        before = proxy.fired[kind]
        arm(at, proxy)
        yield
        happened = happens(lambda: proxy.fired[kind] > before)
        proxy.behave()
        return happened

    return inject


def unreachable(proxy_of: Callable[[Pipeline], Any]) -> Callable[[Pipeline], Fault]:
    def inject(at: Pipeline) -> Fault:
        proxy_of(at).refuse()
        time.sleep(at.random.uniform(0.2, 1.5))
        yield
        proxy_of(at).behave()
        return True

    return inject


def store(at: Pipeline) -> Proxy:
    return at.parts.clickhouse_proxy


def log(at: Pipeline) -> Proxies:
    return at.parts.brokers.proxies


# Faults in which ClickHouse or Kafka rejects requests.


def refused(name: str, value: object) -> Callable[[Pipeline], Fault]:
    """Change a table setting so that ClickHouse rejects every insert."""

    def inject(at: Pipeline) -> Fault:
        before = _failures(at)
        at.setting(name, value)
        yield
        happened = happens(lambda: any(before.get(pid, 0) < now < math.inf for pid, now in _failures(at).items()))
        at.setting(name, 1_000_000 if name == "parts_to_throw_insert" else None)
        return happened

    return inject


def _failures(at: Pipeline) -> dict[int, float]:
    """Return how often each worker's inserts have failed, by process id. For a worker that another fault has stopped or
    ended, the number is infinite.
    """
    return {worker.process.pid: _failures_of(worker) for worker in at.alive()}


def _failures_of(worker: WorkerProcess) -> float:
    try:
        values = re.findall(r'retries_total\{.*step="insert".*\} (\S+)', worker.get("/metrics"))
    except (OSError, AssertionError):
        return math.inf
    return sum(map(float, values))


def dead_letters_unacknowledged(at: Pipeline) -> Fault:
    before = log(at).fired["lost"]
    log(at).lose_answers(at.random.randint(1, 2), matches=a_produce)
    at.load.burst()
    yield
    happened = happens(lambda: log(at).fired["lost"] > before, meanwhile=at.load.burst)
    log(at).behave()
    return happened


def poison(at: Pipeline) -> Fault:
    at.load.burst()
    yield
    return True
