"""The worker's decisions as a pure state machine. Methods take events, and `step` returns the actions to execute.

Each partition runs this cycle, one range at a time. The order of the steps is what makes storage exactly-once:

    1. seal      cut a contiguous range [a, b] from the buffered messages
    2. intent    commit offset a with the range and its digest   lost or late: nothing is written yet
    3. write     insert its rows, one insert a period, by token   response lost: sent again; token and guard drop it
    4. publish   produce its dead letters, await each response    failed: the range stays open
    5. complete  commit b + 1, or the next range's intent, which implies it

A crash after 2 leaves the intent: the next owner rebuilds exactly [a, b] and continues at 3. Nothing is ever committed,
inserted or dead-lettered for a partition that is not currently assigned to this worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from auditlane.contract.intent import Intent, OpenCircuit
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.recovery import TRUNCATED, AssignmentFacts, StartDecision, decide_start
from auditlane.runtime.remedy import Failure, Remedy
from auditlane.store.insert_rate import AdaptiveRate
from auditlane.worker.protocol.actions import Action, Commit, Halt, Pause, Publish, Resume, Seek, Write
from auditlane.worker.protocol.partition_state import (
    HALT_NOTE_MS,
    SLOW_MS,
    InFlightRange,
    PartitionState,
    Policy,
    Range,
    Step,
    digest,
)
from auditlane.worker.protocol.scheduling import MemoryGate, next_ranges


class Core:
    """The partitions of one worker. Times are monotonic milliseconds, except `wall_ms`, which is only reported."""

    def __init__(self, policy: Policy, now: int = 0) -> None:
        self.policy = policy
        self.budget = AdaptiveRate.of(policy.parts_per_second, now)
        self.partitions: dict[Partition, PartitionState] = {}
        self.draining = False
        self._epochs = 0
        self._memory = MemoryGate(policy.buffer_bytes)
        self._stored = 0  # number of ranges stored, over all partitions

    # Events from Kafka.

    def assigned(self, found: AssignmentFacts) -> StartDecision:
        """Take over a partition, and return the offset at which to start reading it."""
        begin = decide_start(found)
        self._epochs += 1
        self.partitions[found.partition] = PartitionState(
            found.partition,
            found.topic_id,
            self._epochs,
            begin=begin.offset,
            position=begin.offset,
            rebuild=begin.rebuild,
            halted=begin.halt,
            recheck_below=begin.recheck_below,
        )
        return begin

    def revoked(self, partitions: Iterable[Partition]) -> list[Partition]:
        """Drop revoked or lost partitions. The committed intent hands over the range in flight.

        Returns the paused partitions. The caller has to resume them, since librdkafka keeps a pause across assignments.
        """
        states = [state for one in partitions if (state := self.partitions.pop(one, None)) is not None]
        return [state.partition for state in states if state.paused]

    def received(self, partition: Partition, columns: Columns, now: int) -> int:
        """Buffer messages, in order of offset. Returns the number of offsets that Kafka skipped, most of which are
        control records.

        Messages below the position are duplicates. Messages for a halted or revoked partition are ignored.
        """
        state = self.partitions.get(partition)
        if state is None or state.halted or state.parked_until is not None or self.draining:
            return 0
        if below := columns.before(state.position):
            columns.take(below)
        if not columns:
            return 0
        skipped = columns.offsets[-1] + 1 - state.position - len(columns)
        state.position = columns.offsets[-1] + 1
        if not state.held:
            state.since = now
        state.held.extend(columns)
        if state.rebuild is not None:
            self._rebuild(state, state.rebuild, now)
        return skipped

    def position_lost(self, partition: Partition, reason: str) -> None:
        """Halt a partition whose position Kafka cannot serve, for example because it is out of range.

        Its buffered messages are still written.
        """
        state = self.partitions.get(partition)
        if state is not None:
            state.halt(reason)
            if state.rebuild is not None:  # its intent stays committed
                state.rebuild, state.parked_until, state.held = None, None, Columns()

    # Events: results of actions.

    def committed(self, commit: Commit, errors: Mapping[Partition, str], now: int) -> None:
        """Handle the result of a commit. For partitions in `errors`, the commit is repeated after the next poll."""
        for partition in commit.offsets:
            state = self.partitions.get(partition)
            if state is not None and partition in commit.notes and partition not in errors:
                state.halt_note = None
            if state is None or state.flight is None or partition in commit.notes:
                continue
            if partition in errors:
                state.fails(f"{state.flight.range}: the offsets' commit failed: {errors[partition]}", now)
                state.flight.back_off(now)
                continue
            state.succeeds()
            if state.flight.step is Step.INTENT:
                state.flight.next(Step.WRITE)
                state.flight.aside = state.slow
            else:
                state.flight, state.gave_up = None, False

    def written(self, range_: Range, *, parts: int, rejected: int, took_ms: int) -> None:
        """Record that every period of the range is stored and `rejected` messages remain to be published.

        `parts` and `took_ms` cover only current periods, since late periods have a separate budget.
        """
        self.budget.spend(max(0, parts - 1))  # the first part was charged when the range was sealed
        self.budget.stored(took_ms)
        self._stored += 1
        flight = self._flight(range_)
        if flight is not None:
            self.partitions[range_.partition].succeeds()
            flight.next(Step.PUBLISH if rejected else Step.COMPLETE)

    def later(self, range_: Range, wait_ms: int, now: int) -> None:
        """Record that the current periods of the range are stored. Its late periods have to wait `wait_ms` for their
        budget.
        """
        flight = self._flight(range_)
        if flight is not None:
            self.partitions[range_.partition].succeeds()
            flight.busy, flight.attempts, flight.aside, flight.not_before = False, 0, True, now + wait_ms

    def published(self, range_: Range) -> None:
        """Record that all dead letters of the range are acknowledged."""
        flight = self._flight(range_)
        if flight is not None:
            self.partitions[range_.partition].succeeds()
            flight.next(Step.COMPLETE)

    def failed(self, range_: Range, failure: Failure, now: int) -> None:
        """Record that the current step of the range failed. The step is retried, or the partition halts. The range is
        never dropped.
        """
        flight = self._flight(range_)
        if failure.remedy is Remedy.retry_slower and self._overloaded(flight):
            self.budget.pushed_back()
        if flight is None:
            return
        if failure.remedy is Remedy.wait:
            flight.wait(now)
        else:
            flight.back_off(now)
        flight.stored_before = self._stored
        self.partitions[range_.partition].fails(f"{range_}: {failure.message}", now)
        if failure.remedy in (Remedy.halt, Remedy.open_circuit):
            opened = failure.remedy is Remedy.open_circuit
            circuit = OpenCircuit(failure.code, failure.rejected) if opened else None
            self.partitions[range_.partition].halt_at(range_, circuit)

    def drain(self) -> None:
        """Stop accepting messages. Buffered messages are sealed and written."""
        self.draining = True
        for state in self.partitions.values():
            if state.rebuild is not None:  # its intent stays committed, and the next owner rebuilds it
                state.rebuild, state.parked_until, state.held = None, None, Columns()

    @property
    def drained(self) -> bool:
        """Whether draining is complete: nothing is buffered or in flight."""
        return self.draining and not any(state.flight or state.held for state in self.partitions.values())

    # Decisions.

    @property
    def must_wait(self) -> bool:
        """Whether `step` has suspended polling until the insert threads free memory."""
        return self._memory.should_skip_poll

    @property
    def all_paused(self) -> bool:
        """Whether every partition is paused."""
        return bool(self.partitions) and all(state.paused for state in self.partitions.values())

    def step(self, now: int, wall_ms: int) -> list[Action]:
        """Return the actions to execute now. Call again after a commit, since its result may allow the next step."""
        actions: list[Action] = [*self._halts(), *self._flow(now)]
        self._seal(now)
        commits: dict[Partition, tuple[int, str]] = {}
        intents: set[Partition] = set()
        notes: set[Partition] = set()
        for state in self.partitions.values():
            flight = state.flight
            if state.halt_note is not None and (state.noted is None or now - state.noted >= HALT_NOTE_MS):
                note = replace(state.halt_note, at_ms=wall_ms, failing_ms=wall_ms)
                commits[state.partition] = (state.begin, note.encode())
                notes.add(state.partition)
                state.noted = now
            if flight is None:
                continue
            if self._notes(state, flight, now):
                failing_ms = max(1, wall_ms - (now - (state.failing_since or 0)))
                intent = state.announced(flight.range, wall_ms, failing_ms=failing_ms)
                commits[state.partition] = (flight.range.first, intent.encode())
                notes.add(state.partition)
                state.noted = now
            if flight.busy:
                state.slow = now - flight.busy_since >= SLOW_MS
                flight.aside = flight.aside or state.slow
            if flight.busy or now < flight.not_before:
                continue
            if flight.step is Step.INTENT:
                commits[state.partition] = (flight.range.first, state.intent(flight.range, wall_ms))
                intents.add(state.partition)
            elif flight.step is Step.COMPLETE:
                commits[state.partition] = (flight.range.last + 1, state.done(flight.range, wall_ms))
            elif flight.step is Step.WRITE:
                flight.begin(now)
                actions.append(Write(flight.range))
            elif flight.step is Step.PUBLISH:
                flight.begin(now)
                actions.append(Publish(flight.range))
        if commits:
            actions.append(Commit(commits, frozenset(intents), frozenset(notes)))
        return actions

    def _flight(self, range_: Range) -> InFlightRange | None:
        state = self.partitions.get(range_.partition)
        return state.flight if state is not None and state.assignment_epoch == range_.assignment_epoch else None

    def _overloaded(self, flight: InFlightRange | None) -> bool:
        """Return whether ClickHouse, which lacked capacity for the range, is overloaded.

        If other ranges are being stored meanwhile, it is not overloaded, but the range needs too much memory.
        """
        return flight is None or not flight.attempts or self._stored == flight.stored_before

    def _notes(self, state: PartitionState, flight: InFlightRange, now: int) -> bool:
        """Return whether to commit a note that the announced range is failing. Tools that read the group's offsets show
        it.
        """
        if state.failing_since is None or flight.step not in (Step.WRITE, Step.PUBLISH) or state.halted:
            return False
        return now - (state.failing_since if state.noted is None else state.noted) >= self.policy.failing_ms

    def _rebuild(self, state: PartitionState, intent: Intent, now: int) -> None:
        """Restore a pending range when all of its messages have been received. The partition halts if the digest
        differs.
        """
        assert intent.last is not None
        if state.position <= intent.last:
            return
        columns = state.held.take(state.held.through(intent.last))
        state.rebuild, state.since = None, now
        if digest(columns) != intent.digest:
            state.held, state.oldest_ms = Columns(), columns.timestamps_ms[0] if columns else 0
            state.halt(
                f"offsets {intent.first}-{intent.last} are pending, but Kafka now holds other messages there: "
                f"the log was truncated; {TRUNCATED}"
            )
            return
        sealed = self._range(state, columns, intent.last, intent.digest, redo=True)
        state.flight = InFlightRange(sealed, Step.WRITE)  # its intent is already committed
        if state.parked_attempts:
            state.flight.aside, state.flight.attempts, state.parked_attempts = True, state.parked_attempts, 0

    def _seal(self, now: int) -> None:
        """Seal the ranges that are due, within the limits of the insert rate and `Policy.flights`."""
        states = self.partitions.values()
        flights = sum(not state.free and not state.aside for state in states)
        for state in next_ranges(states, self.policy, self._memory, now, draining=self.draining):
            if flights >= self.policy.flights or not (self.draining or self.budget.ready(now)):
                return
            columns = state.held.take(state.held.fitting(self.policy.range_rows, self.policy.range_bytes))
            sealed = self._range(state, columns, columns.offsets[-1], digest(columns))
            state.flight = InFlightRange(sealed, Step.INTENT)
            state.since = now
            self.budget.spend(1)
            flights += 1

    def _range(self, state: PartitionState, columns: Columns, last: int, digest: str, *, redo: bool = False) -> Range:
        redo = redo or state.begin < state.recheck_below
        sealed = Range(
            state.partition, state.topic_id, state.begin, last, columns, digest, state.assignment_epoch, redo
        )
        state.begin = last + 1
        return sealed

    def _halts(self) -> list[Action]:
        news = [state for state in self.partitions.values() if state.halted and not state.halt_reported]
        for state in news:
            state.halt_reported = True
        return [Halt(state.partition, state.halted) for state in news]

    def _flow(self, now: int) -> list[Action]:
        """Pause and resume partitions.

        A range that is being rebuilt is read even above the limit, since only completing it frees memory.
        """
        actions: list[Action] = [*self._make_room(now)]
        states = self.partitions.values()
        self._unpark(now)
        rebuilding = any(state.rebuild is not None and state.parked_until is None for state in states)
        self._memory.update(self._held(), now, urgent=rebuilding or self.draining)
        share = self._memory.fair_share(len(states))
        pause: list[Partition] = []
        resume: list[Partition] = []
        for state in states:
            stop = bool(state.halted) or self.draining or state.parked_until is not None
            stop = (
                stop
                or (self._memory.paused and state.rebuild is None)
                or (state.aside and (state.gave_up or state.held.size >= share))
            )
            if stop != state.paused:
                state.paused = stop
                if stop:
                    pause.append(state.partition)
                else:
                    resume.append(state.partition)
        if pause:
            actions.append(Pause(tuple(pause)))
        if resume:
            actions.append(Resume(tuple(resume)))
        return actions

    def _held(self) -> int:
        return sum(state.held_bytes for state in self.partitions.values())

    def _make_room(self, now: int) -> list[Seek]:
        """Free memory held by partitions that make no progress: first their unsealed messages, and then failed ranges.

        Nothing is discarded unless another partition could use the memory.
        """
        states = [state for state in self.partitions.values() if not state.halted]
        stuck = [state for state in states if state.aside]
        if self.draining or len(stuck) == len(states) or self._held() < self.policy.buffer_bytes:
            return []
        share = self._memory.fair_share(len(self.partitions))
        seeks: list[Seek] = []
        for state in stuck:
            if state.held.size > share:
                state.shed()
                seeks.append(Seek(state.partition, state.position))
        for state in sorted(stuck, key=lambda state: (state.failing_since is None, -state.held_bytes)):
            flight = state.flight
            assert flight is not None
            if self._held() < self.policy.buffer_bytes:
                break
            waits = not flight.busy and now < flight.not_before  # otherwise the next attempt may succeed
            if waits and flight.step in (Step.WRITE, Step.PUBLISH) and state.held_bytes > share:
                state.park(now + self.policy.park_ms)
                seeks.append(Seek(state.partition, state.position))
        return seeks

    def _unpark(self, now: int) -> None:
        """Allow a parked range to be read again, one partition at a time."""
        states = self.partitions.values()
        if any(state.rebuild is not None and state.parked_until is None for state in states):
            return
        waiting = [state for state in states if state.parked_until is not None and now >= state.parked_until]
        if waiting:
            min(waiting, key=lambda state: state.parked_until or 0).parked_until = None
