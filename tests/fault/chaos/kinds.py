"""The kinds of faults by name, and the choice of the next kinds to inject."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chaos.faults import (
    STEPS,
    Fault,
    at_a_step,
    broker_killed,
    clickhouse_killed,
    controller_killed,
    frozen,
    leader_killed,
    registry_killed,
    rewound,
    scaled,
    truncated,
    worker_killed,
    zombie,
    zombie_without_tokens,
)
from chaos.pipeline import INSERT_TIMEOUT_S, Pipeline
from chaos.refusals import (
    dead_letters_unacknowledged,
    log,
    network,
    poison,
    refused,
    store,
    unreachable,
)
from chaos.stopped_workers import PARTS, killed_at_a_step

WAVE = 5  # maximum number of concurrent faults


@dataclass(frozen=True)
class Kind:
    """A kind of fault. `nodes` is the required number of brokers, where 0 means any number.

    Within a wave, it excludes other kinds of the same `family` and of the families in `without`. If `alone`, it
    excludes all other kinds.
    """

    name: str
    family: str
    inject: Callable[[Pipeline], Fault]
    without: frozenset[str] = frozenset()
    alone: bool = False
    nodes: int = 0


SCALED = "workers: 1 → 3 → 1"
KINDS = (
    Kind("broker: SIGKILL", "kafka", broker_killed, frozenset({"registry"}), nodes=1),
    Kind("broker that leads a partition, of three: SIGKILL", "kafka", leader_killed, nodes=3),
    Kind("controller of three: SIGKILL", "kafka", controller_killed, nodes=3),
    Kind("Kafka: commit applied, acknowledgement lost", "kafka",
         network(log, "lost", lambda at, p: p.lose_answers())),
    Kind("Kafka: acknowledgement of a commit delayed", "kafka",
         network(log, "delayed", lambda at, p: p.delay_answers(at.random.uniform(0.3, 2)))),
    Kind("Kafka: unreachable", "kafka", unreachable(log)),
    Kind("Kafka: dead letter stored, acknowledgement lost", "kafka", dead_letters_unacknowledged,
         frozenset({"clickhouse"})),
    Kind("Kafka: topic truncated above the committed offset", "kafka", truncated, alone=True),
    Kind("ClickHouse: SIGKILL", "clickhouse", clickhouse_killed),
    Kind("ClickHouse: stored, acknowledgement lost", "clickhouse",
         network(store, "lost", lambda at, p: p.lose_answers(at.random.randint(1, 3)))),
    Kind("ClickHouse: acknowledgement after the timeout", "clickhouse",
         network(store, "delayed", lambda at, p: p.delay_answers(INSERT_TIMEOUT_S + 0.5))),
    Kind("ClickHouse: insert arrives after its client timed out", "clickhouse",
         network(store, "held", lambda at, p: p.hold_requests(INSERT_TIMEOUT_S + at.random.random()))),
    Kind("ClickHouse: insert cut mid-body", "clickhouse",
         network(store, "cut", lambda at, p: p.cut_requests(at.random.randint(1, 3)))),
    Kind("ClickHouse: unreachable", "clickhouse", unreachable(store)),
    Kind("ClickHouse: out of memory", "clickhouse",
         network(store, "altered", lambda at, p: p.add_settings("max_memory_usage=1000", 3))),
    Kind("ClickHouse: execution time exceeded", "clickhouse",
         network(store, "altered", lambda at, p: p.add_settings("max_execution_time=0.00001", 3))),
    Kind("ClickHouse: table read-only", "clickhouse", refused("table_readonly", 1)),
    Kind("ClickHouse: TOO_MANY_PARTS", "clickhouse", refused("parts_to_throw_insert", 1)),
    Kind("ClickHouse: disk full", "clickhouse", refused("min_free_disk_bytes_to_perform_insert", 10**15)),
    Kind("registry: SIGKILL", "registry", registry_killed),
    Kind("worker: SIGKILL", "worker", worker_killed),
    Kind("worker: frozen past its session", "worker", frozen),
    Kind("offsets set back by another member, owners killed", "worker", rewound,
         frozenset({"kafka", "clickhouse", "step"})),
    Kind(SCALED, "worker", scaled, alone=True),
    *(
        Kind(f"worker: SIGKILL {when} {step}", "step", at_a_step(when, step))
        for step in STEPS
        for when in ("before", "after")
    ),
    *(
        Kind(f"{part.name}: SIGKILL while a worker is stopped {when} {step}", "step",
             killed_at_a_step(part, when, step),
             frozenset({"kafka", "clickhouse", "registry"}), nodes=part.nodes)
        for part in PARTS
        for step in STEPS
        for when in ("before", "after")
    ),
    Kind("worker: frozen at a step, thawed after its successor took over", "step", zombie),
    Kind("worker: the same, its tokens forgotten", "step", zombie_without_tokens, frozenset({"worker", "clickhouse"})),
    Kind("rejected messages: first, in the middle, last, only such", "load", poison),
)  # fmt: skip


def next_wave(pipeline: Pipeline, counts: Mapping[str, float]) -> list[Kind]:
    """Return the kinds for the next wave. Of those that can be combined, they have been injected least often so far."""
    available = [kind for kind in KINDS if kind.nodes in (0, pipeline.nodes)]
    pipeline.random.shuffle(available)
    limit = min(counts.get(kind.name, 0) for kind in available) + 1  # so that no kind gets far ahead
    picked: list[Kind] = []
    for kind in sorted(available, key=lambda kind: counts.get(kind.name, 0)):
        fits = all(_are_compatible(kind, other) for other in picked)
        if len(picked) < WAVE and counts.get(kind.name, 0) <= limit and fits:
            picked.append(kind)
    # In order of repair: workers can stop only when the services are back.
    order = ["kafka", "clickhouse", "registry", "worker", "step", "load"]
    return sorted(picked, key=lambda kind: order.index(kind.family))


def _are_compatible(kind: Kind, other: Kind) -> bool:
    excluded = kind.family in other.without or other.family in kind.without
    return not (excluded or kind.alone or other.alone or kind.family == other.family)
