"""The kinds of faults. Each is a generator: it does its harm and yields; resumed, it mends what the pipeline cannot
mend by itself, waits until the fault has really happened, and returns whether it has."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition
from fixtures.kafka import wait_for_broker
from fixtures.proxy import Proxy, a_produce
from fixtures.workers import WorkerProcess

from chaos.pipeline import INSERT_TIMEOUT_S, WINDOW, Pipeline

Fault = Generator[None, None, bool]
HAPPENS_S = 7.0
SESSION_S = 1.8  # past the group's session timeout of one second
STEPS = ("intent", "insert", "letters", "complete")


@dataclass(frozen=True)
class Kind:
    """`family`: a round has at most one of each. `without`: families and kinds that it does not go together with."""

    name: str
    family: str
    inject: Callable[[Pipeline], Fault]
    weight: float = 1.0
    without: frozenset[str] = frozenset()
    alone: bool = False


def happens(what: Callable[[], object], *, meanwhile: Callable[[], None] = lambda: None) -> bool:
    """Whether it becomes true in time."""
    deadline, tick = time.monotonic() + HAPPENS_S, 0
    while not what():
        if time.monotonic() > deadline:
            return False
        if tick % 10 == 0:
            meanwhile()
        tick += 1
        time.sleep(0.1)
    return True


# Parts that die.


def broker_killed(at: Pipeline) -> Fault:
    at.parts.kill_broker()
    at.parts.start_broker()  # it is away while it starts
    yield
    wait_for_broker(at.parts.bootstrap)
    return True


def clickhouse_killed(at: Pipeline) -> Fault:
    at.parts.kill_clickhouse()
    yield
    at.parts.start_clickhouse()
    return True


def registry_killed(at: Pipeline) -> Fault:
    at.parts.registry.end(signal.SIGKILL)
    at.load.burst()  # an id that nobody knows has to be asked for
    yield
    at.parts.registry.start()
    return True


# Workers that die, freeze, come and go.


def worker_killed(at: Pipeline) -> Fault:
    victim = at.random.choice(at.alive())
    victim.kill()
    at.start()
    yield
    return True


def at_a_step(when: str, step: str) -> Callable[[Pipeline], Fault]:
    def inject(at: Pipeline) -> Fault:
        doomed = at.start(f"{when}_{step}:kill:{at.random.randint(1, 4)}")
        yield
        meanwhile = at.load.burst if step == "letters" else lambda: None
        if happens(lambda: doomed.process.poll() is not None, meanwhile=meanwhile):
            return doomed.process.returncode == -signal.SIGKILL
        doomed.kill()
        return False

    return inject


def frozen(at: Pipeline) -> Fault:
    victim = at.random.choice(at.alive())
    victim.process.send_signal(signal.SIGSTOP)
    if len(at.alive()) == 1:
        at.start()
    yield
    time.sleep(SESSION_S)
    victim.process.send_signal(signal.SIGCONT)
    return True


def _zombie(at: Pipeline, *, window: int | None) -> Fault:
    """Frozen at a step, outlived by its heir, woken up; with a window, ClickHouse has forgotten its tokens."""
    step = at.random.choice(["before_insert", "after_insert", "after_intent", "before_complete"])
    zombie = at.start(f"{step}:stop:{at.random.randint(1, 3)}")
    yield
    gone = lambda: zombie.process.poll() is not None  # noqa: E731
    if not happens(lambda: gone() or zombie.stopped()) or gone():
        _bury(zombie)
        return False
    if window is not None:
        at.setting("non_replicated_deduplication_window", window)
    time.sleep(SESSION_S)
    zombie.process.send_signal(signal.SIGCONT)
    happens(lambda: gone() or zombie.events("partition.lost") or zombie.events("partition.revoked"))
    if window is not None:
        at.setting("non_replicated_deduplication_window", WINDOW)
    _bury(zombie)
    return True


def _bury(worker: WorkerProcess) -> None:
    if worker.process.poll() is None:
        worker.process.send_signal(signal.SIGCONT)
        worker.kill()


def zombie(at: Pipeline) -> Fault:
    return (yield from _zombie(at, window=None))


def zombie_without_tokens(at: Pipeline) -> Fault:
    return (yield from _zombie(at, window=2))


def rewound(at: Pipeline) -> Fault:
    """A member without partitions sets every offset back; then their owners die before they commit again."""
    settings = at.world.settings
    member = Consumer(at.world.kafka | {"group.id": settings.group, "group.protocol": "consumer"})
    member.subscribe([settings.dead_letter_topic])
    try:
        joined = happens(lambda: (member.poll(0.05), member.assignment())[1])
        partitions = [TopicPartition(settings.topic, one) for one in range(settings.topic_partitions)]
        back = [
            TopicPartition(one.topic, one.partition, max(0, one.offset - at.random.randint(1, 400)))
            for one in member.committed(partitions, timeout=10)
        ]
        doomed = list(at.alive())
        member.commit(offsets=back, asynchronous=False)
        for one in doomed:
            one.process.kill()
    except KafkaException:
        joined = False
    finally:
        member.close()
    at.staff(1)
    yield
    return joined


def scaled(at: Pipeline) -> Fault:
    """1 → 3 → 1 under load."""
    at.staff(1)
    happens(lambda: at.alive()[0].events("partition.assigned"))
    more = [at.start(), at.start()]
    ready = [happens(lambda one=one: one.events("partition.assigned")) for one in more]
    time.sleep(1)
    at.staff(1)
    yield
    time.sleep(1)
    return all(ready)


# What the network does.


def network(
    proxy_of: Callable[[Pipeline], Proxy], kind: str, do: Callable[[Pipeline, Proxy], None]
) -> Callable[[Pipeline], Fault]:
    def inject(at: Pipeline) -> Fault:
        proxy = proxy_of(at)
        before = proxy.fired[kind]
        do(at, proxy)
        yield
        happened = happens(lambda: proxy.fired[kind] > before)
        proxy.behave()
        return happened

    return inject


def unreachable(proxy_of: Callable[[Pipeline], Proxy]) -> Callable[[Pipeline], Fault]:
    def inject(at: Pipeline) -> Fault:
        proxy_of(at).refuse()
        time.sleep(at.random.uniform(0.2, 1.5))
        yield
        proxy_of(at).behave()
        return True

    return inject


def store(at: Pipeline) -> Proxy:
    return at.parts.clickhouse_proxy


def log(at: Pipeline) -> Proxy:
    return at.parts.kafka_proxy


# ClickHouse and Kafka that refuse.


def refused(name: str, value: object) -> Callable[[Pipeline], Fault]:
    """A setting of the table with which ClickHouse refuses every insert."""

    def inject(at: Pipeline) -> Fault:
        seen = _failures(at)
        at.setting(name, value)
        yield
        happened = happens(lambda: _failures(at) > seen)
        at.setting(name, 1_000_000 if name == "parts_to_throw_insert" else None)
        return happened

    return inject


def _failures(at: Pipeline) -> int:
    return sum(len(one.events("range.failed")) for one in at.alive())


def letters_unacknowledged(at: Pipeline) -> Fault:
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


KINDS = (
    Kind("broker: SIGKILL", "kafka", broker_killed, 0.6, frozenset({"registry"})),
    Kind("Kafka: commit applied, acknowledgement lost", "kafka",
         network(log, "lost", lambda at, p: p.lose_answers()), 1.5),
    Kind("Kafka: acknowledgement of a commit delayed", "kafka",
         network(log, "delayed", lambda at, p: p.delay_answers(at.random.uniform(0.3, 2))), 1.0),
    Kind("Kafka: unreachable", "kafka", unreachable(log), 1.0),
    Kind("Kafka: dead letter stored, acknowledgement lost", "kafka", letters_unacknowledged, 1.0),
    Kind("ClickHouse: SIGKILL", "clickhouse", clickhouse_killed, 2.0),
    Kind("ClickHouse: stored, acknowledgement lost", "clickhouse",
         network(store, "lost", lambda at, p: p.lose_answers(at.random.randint(1, 3))), 1.5),
    Kind("ClickHouse: acknowledgement after the timeout", "clickhouse",
         network(store, "delayed", lambda at, p: p.delay_answers(INSERT_TIMEOUT_S + 0.5)), 1.0),
    Kind("ClickHouse: insert arrives after its client gave up", "clickhouse",
         network(store, "held", lambda at, p: p.hold_requests(INSERT_TIMEOUT_S + at.random.random())), 1.0),
    Kind("ClickHouse: insert cut mid-body", "clickhouse",
         network(store, "cut", lambda at, p: p.cut_requests(at.random.randint(1, 3))), 1.5),
    Kind("ClickHouse: unreachable", "clickhouse", unreachable(store), 1.0),
    Kind("ClickHouse: out of memory", "clickhouse",
         network(store, "altered", lambda at, p: p.add_settings("max_memory_usage=1000", 3)), 1.0),
    Kind("ClickHouse: execution time exceeded", "clickhouse",
         network(store, "altered", lambda at, p: p.add_settings("max_execution_time=0.00001", 3)), 1.0),
    Kind("ClickHouse: table read-only", "clickhouse", refused("table_readonly", 1), 1.0),
    Kind("ClickHouse: TOO_MANY_PARTS", "clickhouse", refused("parts_to_throw_insert", 1), 1.0),
    Kind("ClickHouse: disk full", "clickhouse", refused("min_free_disk_bytes_to_perform_insert", 10**15), 1.0),
    Kind("registry: SIGKILL", "registry", registry_killed, 1.0),
    Kind("worker: SIGKILL", "worker", worker_killed, 3.0),
    Kind("worker: frozen past its session", "worker", frozen, 2.0),
    Kind("offsets set back by another member, owners killed", "worker", rewound, 1.0,
         frozenset({"kafka", "clickhouse", "step"})),
    Kind("workers: 1 → 3 → 1", "worker", scaled, 0.7, alone=True),
    *(
        Kind(f"worker: SIGKILL {when} {step}", "step", at_a_step(when, step), 1.0)
        for step in STEPS
        for when in ("before", "after")
    ),
    Kind("worker: frozen at a step, wakes up behind its heir", "step", zombie, 2.0),
    Kind("worker: the same, its tokens forgotten", "step", zombie_without_tokens, 1.5,
         frozenset({"worker", "clickhouse"})),
    Kind("refused messages in bursts", "load", poison, 1.0),
)  # fmt: skip
