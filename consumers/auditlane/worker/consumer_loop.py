"""The consuming thread. It feeds the core from Kafka and the insert threads, and executes its actions.

Only this thread uses the consumer. An exception in a rebalance callback is raised from `consume` without stopping
delivery, so it ends the worker. The next owner of the partitions starts from the intents.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from auditlane.contract.brokers import Brokers, out_of_range
from auditlane.contract.kafka_messages import columns_of
from auditlane.contract.partition import Partition
from auditlane.runtime.errors import KafkaUnavailable
from auditlane.runtime.failpoints import Failpoints
from auditlane.runtime.log import get, position
from auditlane.runtime.log_sampling import SampledLog
from auditlane.runtime.remedy import Remedy
from auditlane.worker.consumer import EndOffsets, unsupported
from auditlane.worker.metrics import LagGauge, PendingIntents, RecentTokens, WorkerMetrics, late_rows
from auditlane.worker.protocol.actions import Action, Commit, Halt, Pause, Publish, Resume, Seek, Write
from auditlane.worker.protocol.core import Core
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.range_traces import RangeTraces
from auditlane.worker.sink.insert_pool import Done

BATCH: Final = 10_000
TURN_S: Final = 0.05  # maximum wait per turn
STALL_MS: Final = 5_000  # after a turn longer than this (a frozen process), poll before committing


class Unsupported(Exception):
    """The brokers do not support the requested group protocol."""


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Stage(Protocol):
    """Runs work in other threads and returns the results. Only the consuming thread calls it."""

    def submit(self, work: Write | Publish) -> None:
        """Hand over one of the actions of the core. Returns immediately."""

    def poll(self, wait_s: float = 0.0) -> list[Done]:
        """Return the results since the last call, waiting up to `wait_s` for the first one. Called in every turn."""

    def close(self) -> None:
        """Stop accepting work. Work in flight continues. Called once, when the worker has drained or gives up."""

    def join(self, timeout_s: float) -> bool:
        """Wait for the work in flight. Returns whether all of it has ended. Called after `close`."""

    def terminate(self) -> None:
        """Abandon work in flight after `join` has timed out. The intents in Kafka hand the work over to the next
        owner.
        """


class Runner:
    """One worker. Call `subscribe`, then `turn` until it returns False, and then `close`, all in one thread."""

    def __init__(
        self,
        core: Core,
        consumer: Consumer,
        brokers: Brokers,
        pool: Stage,
        metrics: WorkerMetrics,
        failpoints: Failpoints,
        ends: EndOffsets,
        traces: RangeTraces | None = None,
    ) -> None:
        self._core = core
        self._consumer = consumer
        self._brokers = brokers
        self._pool = pool
        self._metrics = metrics
        self._failpoints = failpoints
        self._ends = ends
        self._lag_gauge = LagGauge()
        self._pending_intents = PendingIntents()
        self._tokens = RecentTokens()
        self._traces = traces or RangeTraces()
        self._log = get("worker")
        self._sampled_log = SampledLog(self._log)
        self._polled = self._turned = now_ms()
        self._closing = False
        self.joined = False

    @property
    def member_id(self) -> str | None:
        """The member id of this consumer, or None until the group has admitted it."""
        return self._consumer.memberid()

    def age_s(self, now: int) -> float:
        """Return the seconds since the last turn began, or 0 after `close` has been called. Thread-safe."""
        return 0.0 if self._closing else max(0, now - self._turned) / 1_000

    def subscribe(self, pattern: str) -> None:
        """Join the group."""
        self._consumer.subscribe([pattern], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def drain(self) -> None:
        """Stop accepting messages. `turn` returns True until the buffered messages are stored."""
        self._log.info("worker.draining")
        self._core.drain()

    def turn(self) -> bool:
        """Poll, feed the core, and execute its actions. Returns whether there is more to do. Before `drain`, there
        always is.

        Waits for messages or, while polling is suspended, for the insert threads.
        """
        self._turned = now_ms()
        reading = not (self._core.must_wait or self._core.all_paused)
        if not self._core.must_wait:
            messages = self._consumer.consume(BATCH, TURN_S if reading else 0.0)
            self._polled = now_ms()
            if messages:
                self._feed(messages)
        for done in self._pool.poll(0.0 if reading else TURN_S):
            self._ended(done)
        self._act()
        self._traces.turned(self._core.partitions)
        self._sampled_log.flush(now_ms())
        self._measure()
        return not self._core.drained

    @property
    def halted(self) -> dict[str, str]:
        """The halted partitions, each with the reason."""
        return {str(state.partition): state.halted for state in list(self._core.partitions.values()) if state.halted}

    @property
    def failing(self) -> dict[str, dict[str, str]]:
        """The partitions whose range has been failing or stalled for a minute, each with the start time and the last
        error.
        """
        now, wall = now_ms(), datetime.now(UTC)
        found: dict[str, dict[str, str]] = {}
        for state in list(self._core.partitions.values()):
            since, error = state.trouble(now) or (now, "")
            if now - since >= self._core.policy.failing_ms:
                at = wall - timedelta(milliseconds=now - since)
                found[str(state.partition)] = {"since": at.isoformat(timespec="seconds"), "error": error}
        return found

    def close(self) -> None:
        """Leave the group. Partitions assigned in the meantime are ignored."""
        self._closing = True
        self._sampled_log.flush()
        self._traces.turned({})
        self._consumer.close()

    # Events from Kafka.

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._closing:
            return
        self.joined = True
        self._metrics.rebalances.labels("assigned").inc()
        if not partitions:
            return
        begins = [(one.partition, self._core.assigned(one)) for one in self._brokers.facts(consumer, partitions)]
        consumer.incremental_assign([TopicPartition(at.topic, at.number, begin.offset) for at, begin in begins])
        self._traces.assigned(at for at, _ in begins)
        for at, begin in begins:
            self._metrics.recovered_intents.inc(begin.rebuild is not None)
            pending = f"{begin.rebuild.first}-{begin.rebuild.last}" if begin.rebuild else ""
            fields = position(at, begin.offset) | {"pending": pending, "note": begin.note}
            if begin.note:
                self._log.warning("partition.assigned", **fields)
            else:
                self._log.info("partition.assigned", **fields)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._drop(consumer, partitions, "revoked")
        for one in partitions:
            self._log.info("partition.revoked", **position(Partition(one.topic, one.partition)))

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._drop(consumer, partitions, "lost")
        for one in partitions:
            self._log.info("partition.lost", **position(Partition(one.topic, one.partition)))

    def _drop(self, consumer: Consumer, partitions: list[TopicPartition], what: str) -> None:
        self._metrics.rebalances.labels(what).inc()
        paused = self._core.revoked(Partition(one.topic, one.partition) for one in partitions)
        if paused and not self._closing:
            consumer.resume([TopicPartition(*one) for one in paused])

    def _feed(self, messages: Sequence[Message]) -> None:
        now = now_ms()
        self._traces.saw(messages)
        found, errors = columns_of(messages)
        for message in errors:
            self._complain(message)
        for at, columns in found.items():
            self._metrics.messages.inc(len(columns))
            self._metrics.bytes.inc(columns.size)
            self._metrics.skipped_offsets.inc(self._core.received(at, columns, now))

    def _complain(self, message: Message) -> None:
        error = message.error()
        assert error is not None
        topic, number = message.topic(), message.partition()
        if unsupported(error):
            raise Unsupported(error.str())
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - librdkafka's own codes have this form
            raise KafkaUnavailable(f"The consumer failed: {error.str()}.", fix="Restart the worker.")
        if topic is not None and number is not None and out_of_range(error):
            reason = (
                f"Kafka cannot deliver the position: {error.str()}; restart the worker, which then reports what is lost"
            )
            self._core.position_lost(Partition(topic, number), reason)
        else:
            self._sampled_log.warning(
                "kafka.error", kind=error.name(), now=now_ms(),
                code=error.name(), error=error.str(), topic=topic, partition=number,
            )  # fmt: skip

    # Results of the insert threads.

    def _ended(self, done: Done) -> None:
        with self._traces.of(done.work.range):
            self._report(done)

    def _report(self, done: Done) -> None:
        range_, step = done.work.range, "insert" if isinstance(done.work, Write) else "letters"
        at = position(range_.partition, range_.first, range_.last)
        if done.failure is not None:
            remedy, cause = done.failure.remedy, done.failure.cause
            self._metrics.retries.labels(step, remedy.value).inc()
            fields = at | {"step": step, "remedy": remedy.value, "cause": cause, "error": done.failure.message}
            if remedy is Remedy.wait:
                self._log.debug("range.failed", **fields)
            else:
                self._sampled_log.warning("range.failed", kind=(step, remedy, cause), now=now_ms(), **fields)
            self._core.failed(range_, done.failure, now_ms())
        elif done.later_ms is not None:
            self._core.later(range_, done.later_ms, now_ms())
        elif isinstance(done.work, Write):
            self._metrics.rows.inc(done.rows)
            self._metrics.parts.inc(done.parts)
            self._tokens.add(done.parts, now_ms())
            self._measure_delay(range_, done)
            self._metrics.insert_seconds.observe(done.took_ms / 1_000)
            self._metrics.ranges.labels("redo" if range_.redo else "first").inc()
            self._log.debug("range.stored", **at, rows=done.rows, parts=done.parts,
                            rejected=len(done.rejected), ms=done.took_ms)  # fmt: skip
            if not done.rejected:
                self._traces.stored(range_)
            self._core.written(range_, parts=done.parts - done.late, rejected=len(done.rejected), took_ms=done.took_ms)
        else:
            self._metrics.publish_seconds.observe(done.took_ms / 1_000)
            for rejection in done.rejected:
                self._metrics.dead_letters.labels(rejection.code.value).inc()
            self._log.warning("range.dead_letters", **at, count=len(done.rejected),
                              first=done.rejected[0].message)  # fmt: skip
            self._traces.stored(range_)
            self._core.published(range_)

    def _measure_delay(self, range_: Range, done: Done) -> None:
        """Record how long it took from the Kafka timestamps of the rows in a range until they were stored."""
        stored_ms, timestamps_ms = time.time_ns() // 1_000_000, range_.columns.timestamps_ms
        late = late_rows(timestamps_ms, (one.index for one in done.rejected), stored_ms)
        self._metrics.late_rows.inc(min(late, done.rows))
        self._metrics.freshness.observe(max(0.0, (stored_ms - min(timestamps_ms)) / 1_000))

    # The core's actions.

    def _act(self) -> None:
        while actions := self._core.step(now_ms(), time.time_ns() // 1_000_000):
            for action in actions:
                self._do(action)
            if not any(isinstance(action, Commit) for action in actions):
                return

    def _do(self, action: Action) -> None:
        match action:
            case Write() | Publish():
                self._traces.begin(action.range)
                self._pool.submit(action)
            case Commit():
                self._announce(action)
                began_ns = time.time_ns()
                errors = self._commit(action)
                self._traces.committed(action, errors, began_ns)
                self._core.committed(action, errors, now_ms())
            case Pause(partitions):
                self._consumer.pause([TopicPartition(*one) for one in partitions])
            case Resume(partitions):
                self._consumer.resume([TopicPartition(*one) for one in partitions])
            case Seek(partition, offset):
                self._seek(TopicPartition(partition.topic, partition.number, offset))
            case Halt(partition, reason):
                self._log.error("partition.halted", **position(partition), reason=reason)

    def _announce(self, commit: Commit) -> None:
        """Begin the traces of the ranges whose intents are about to be committed."""
        for partition in commit.intents:
            state = self._core.partitions.get(partition)
            if state is not None and state.flight is not None:
                self._traces.begin(state.flight.range)

    def _seek(self, to: TopicPartition) -> None:
        at = position(Partition(to.topic, to.partition), to.offset)
        self._log.info("partition.read_again", **at)
        try:
            self._consumer.seek(to)
        except KafkaException as error:  # its fetcher has not started, so there is no position to change
            self._log.debug("seek.refused", **at, error=str(error))
            self._consumer.incremental_unassign([to])
            self._consumer.incremental_assign([to])

    def _commit(self, commit: Commit) -> Mapping[Partition, str]:
        """Commit the offsets. Returns an error for each partition that failed.

        After a stall, nothing is sent, since the assignment may have been revoked in the meantime.
        """
        if now_ms() - self._polled > STALL_MS:
            return dict.fromkeys(commit.offsets, "the worker stalled since its last poll")
        planned, completed = bool(commit.intents), commit.completes
        self._hit("before", planned, completed)
        offsets = [
            TopicPartition(at.topic, at.number, offset, metadata) for at, (offset, metadata) in commit.offsets.items()
        ]
        try:
            with self._metrics.commit_seconds.time():
                answers = self._consumer.commit(offsets=offsets, asynchronous=False) or []
        except KafkaException as error:
            cause = error.args[0]
            if cause.fatal():
                raise KafkaUnavailable(f"The group fenced this worker: {cause.str()}.") from error
            self._metrics.retries.labels("commit", Remedy.retry.value).inc()
            self._sampled_log.warning("commit.failed", kind=cause.name(), now=now_ms(), error=cause.str(), unanswered=0)
            return dict.fromkeys(commit.offsets, cause.str())
        errors = {Partition(one.topic, one.partition): one.error.str() for one in answers if one.error is not None}
        unanswered = commit.offsets.keys() - {Partition(one.topic, one.partition) for one in answers}
        if errors or unanswered:
            self._metrics.retries.labels("commit", Remedy.retry.value).inc()
            reason = "; ".join(sorted(set(errors.values())))
            self._sampled_log.warning(
                "commit.failed", kind=reason, now=now_ms(), error=reason, unanswered=len(unanswered)
            )  # fmt: skip
        self._hit("after", planned, completed)
        return errors | dict.fromkeys(unanswered, "no answer")

    def _hit(self, when: str, planned: bool, completed: bool) -> None:
        if planned:
            self._failpoints.hit(f"{when}_intent")
        if completed:
            self._failpoints.hit(f"{when}_complete")

    def _measure(self) -> None:
        states, now, wall_ms = self._core.partitions.values(), now_ms(), time.time_ns() // 1_000_000
        self._ends.ask(self._core.partitions, now)
        lag = self._lag_gauge.measure(states, self._ends.known, wall_ms)
        self._metrics.lag_records.set(lag.records)
        self._metrics.lag_seconds.set(lag.seconds)
        self._metrics.pending_intent.set(self._pending_intents.age_s(states, wall_ms))
        self._metrics.budget.set(self._core.budget.factor)
        self._metrics.window_tokens.set(self._tokens.count(now))
        self._metrics.partitions.set(len(states))
        self._metrics.halted.set(sum(bool(state.halted) for state in states))
        self._metrics.failing.set(len(self.failing))
        self._metrics.circuit_open.set(sum(state.circuit_open for state in states))
        self._metrics.held_bytes.set(sum(state.held_bytes for state in states))
