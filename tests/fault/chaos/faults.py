"""The faults. Each is a generator that injects the fault and then yields.

When resumed, it repairs the damage that the pipeline cannot repair itself, waits until the fault has taken effect, and
returns whether it has.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Generator

from confluent_kafka import Consumer, KafkaException, TopicPartition
from fixtures.kafka import wait_for_broker
from fixtures.workers import WorkerProcess

from chaos.pipeline import WINDOW, Pipeline

Fault = Generator[None, None, bool]
HAPPENS_S = 7.0  # time to wait until a fault has taken effect
SESSION_S = 1.8  # longer than the group's session timeout of one second
STEPS = ("intent", "insert", "letters", "complete")


def happens(
    condition: Callable[[], object], *, meanwhile: Callable[[], None] = lambda: None, seconds: float = HAPPENS_S
) -> bool:
    """Wait until the condition is true, and return whether it became true in time. Meanwhile, `meanwhile` is called
    once a second.
    """
    deadline, tick = time.monotonic() + seconds, 0
    while not _holds(condition):
        if time.monotonic() > deadline:
            return False
        if tick % 10 == 0:
            meanwhile()
        tick += 1
        time.sleep(0.1)
    return True


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except KafkaException:  # Kafka is unavailable at this point
        return False


# Services that die.


def broker_killed(at: Pipeline) -> Fault:
    at.parts.brokers.kill()
    at.parts.brokers.start()  # the service is unavailable while it starts
    yield
    wait_for_broker(at.parts.brokers.bootstrap)
    return True


def leader_killed(at: Pipeline) -> Fault:
    """Kill a partition's leader, one of three brokers. The other two keep every acknowledged message."""
    cluster, topic = at.parts.brokers.cluster, at.world.settings.topic
    partition = at.random.randrange(at.world.settings.topic_partitions)
    leader = cluster.leader(topic, partition)
    cluster.kill(leader)
    yield
    moved = happens(lambda: cluster.leader(topic, partition) not in (-1, leader), seconds=30)
    cluster.start(leader)
    everywhere = range(at.world.settings.topic_partitions)
    back = happens(lambda: all(leader in cluster.in_sync(topic, number) for number in everywhere), seconds=90)
    return moved and back


def controller_killed(at: Pipeline) -> Fault:
    """Kill the active one of three controllers. Another controller is elected."""
    cluster = at.parts.brokers.cluster
    epoch, controller = cluster.controller()
    cluster.kill(controller)
    yield
    elected = happens(
        lambda: cluster.controller()[0] > epoch and cluster.controller()[1] not in (-1, controller), seconds=30
    )
    cluster.start(controller)
    topic, everywhere = at.world.settings.topic, range(at.world.settings.topic_partitions)
    back = happens(lambda: all(controller in cluster.in_sync(topic, number) for number in everywhere), seconds=90)
    return elected and back


def clickhouse_killed(at: Pipeline) -> Fault:
    at.parts.kill_clickhouse()
    yield
    at.parts.start_clickhouse()
    return True


def registry_killed(at: Pipeline) -> Fault:
    at.parts.registry.end(signal.SIGKILL)
    at.load.burst()  # contains an unknown schema id, which a worker has to look up
    yield
    at.parts.registry.start()
    return True


# Workers that die, freeze, start and stop.


def worker_killed(at: Pipeline) -> Fault:
    victim = at.victim()
    victim.kill()
    at.start()
    yield
    return True


def at_a_step(when: str, step: str) -> Callable[[Pipeline], Fault]:
    def inject(at: Pipeline) -> Fault:
        times = 1 if step == "complete" else at.random.randint(1, 3)  # usually, the next intent completes a range
        doomed = at.start(f"{when}_{step}:kill:{times}")
        yield
        meanwhile = {"letters": at.load.burst, "complete": lambda: at.load.rest(1.2)}.get(step, lambda: None)
        if happens(lambda: doomed.process.poll() is not None, meanwhile=meanwhile):
            return doomed.process.returncode == -signal.SIGKILL
        doomed.kill()
        return False

    return inject


def frozen(at: Pipeline) -> Fault:
    victim = at.victim()
    victim.process.send_signal(signal.SIGSTOP)
    if len(at.alive()) == 1:
        at.start()
    yield
    time.sleep(SESSION_S)
    victim.process.send_signal(signal.SIGCONT)
    return True


def _zombie(at: Pipeline, *, window: int | None) -> Fault:
    """Freeze a worker at a step, and resume it after its partitions have been reassigned. With `window`, ClickHouse has
    forgotten the worker's tokens by then.
    """
    step = at.random.choice(["before_insert", "after_insert", "after_intent", "before_complete"])
    zombie = at.start(f"{step}:stop:{at.random.randint(1, 2)}")
    yield
    exited = lambda: zombie.process.poll() is not None  # noqa: E731
    if not happens(lambda: exited() or zombie.stopped()) or exited():
        kill(zombie)
        return False
    if window is not None:
        at.setting("non_replicated_deduplication_window", window)
    time.sleep(SESSION_S)
    zombie.process.send_signal(signal.SIGCONT)
    happens(lambda: exited() or zombie.events("partition.lost") or zombie.events("partition.revoked"))
    if window is not None:
        at.setting("non_replicated_deduplication_window", WINDOW)
    kill(zombie)
    return True


def kill(worker: WorkerProcess) -> None:
    """Kill a worker, even if it is suspended by a signal."""
    if worker.process.poll() is None:
        worker.process.send_signal(signal.SIGCONT)
        worker.kill()


def zombie(at: Pipeline) -> Fault:
    return (yield from _zombie(at, window=None))


def zombie_without_tokens(at: Pipeline) -> Fault:
    return (yield from _zombie(at, window=2))


def rewound(at: Pipeline) -> Fault:
    """Set every offset back, as a member without partitions could, and then kill the owners before they commit
    again.
    """
    settings = at.world.settings
    member = Consumer(at.world.kafka | {"group.id": settings.consumer_group, "group.protocol": "consumer"})
    member.subscribe([settings.dead_letter_topic])
    try:
        joined = happens(lambda: (member.poll(0.05), member.assignment())[1])
        partitions = [TopicPartition(settings.topic, number) for number in range(settings.topic_partitions)]
        offsets = [
            TopicPartition(position.topic, position.partition, max(0, position.offset - at.random.randint(1, 400)))
            for position in member.committed(partitions, timeout=10)
        ]
        doomed = list(at.alive())
        member.commit(offsets=offsets, asynchronous=False)
        for worker in doomed:
            worker.process.kill()
    except KafkaException:
        joined = False
    finally:
        member.close()
    at.staff(1)
    yield
    return joined


def truncated(at: Pipeline) -> Fault:
    """Delete unread messages, as Kafka's retention may. The partition halts until an operator accepts the loss."""
    topic, partition = at.world.settings.topic, at.random.randrange(at.world.settings.topic_partitions)
    for worker in list(at.alive()):
        worker.kill()
    yield
    has_backlog = happens(lambda: at.backlog(partition)[1] > at.backlog(partition)[0] + 10, meanwhile=at.load.burst)
    first, end = at.backlog(partition)
    low = at.random.randint(first + 1, end - 1)
    where = TopicPartition(topic, partition, low)
    happens(lambda: at.world.admin.delete_records([where])[where].result(30), seconds=30)
    at.load.lose(partition, first, low)
    worker = at.start()
    halted = happens(lambda: any(f"--to {low}`" in event["reason"] for event in worker.events("partition.halted")))
    worker.kill()
    accepted = happens(lambda: _commit(at, partition, low), seconds=30)
    at.staff(1)
    return has_backlog and halted and accepted


def _commit(at: Pipeline, partition: int, offset: int) -> bool:
    """Commit an offset as an operator would. Returns whether Kafka accepted it. Kafka does so only if the group has no
    members.
    """
    try:
        at.world.commit(partition, offset)
    except KafkaException:
        return False
    return True


def scaled(at: Pipeline) -> Fault:
    at.staff(1)
    happens(lambda: at.alive()[0].events("partition.assigned"))
    added = [at.start(), at.start()]
    ready = [happens(lambda worker=worker: worker.events("partition.assigned")) for worker in added]
    time.sleep(1)
    at.staff(1)
    yield
    time.sleep(1)
    return all(ready)
