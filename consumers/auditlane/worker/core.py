"""The worker's decisions, as a pure state machine: events go in by method, `step` gives what to do next.

Each partition runs this circle, one range at a time, and the order is what makes it exact:

    1. seal      cut a contiguous range [a, b] from what was received
    2. intent    commit offset a with the range and its digest   lost or late: nothing was written yet
    3. write     insert its rows, one insert a month, by token   answer lost: written again; token and guard drop it
    4. bury      produce its dead letters, await every answer    failed: the range stays open
    5. complete  commit b + 1, or the next range's intent, which says the same

A crash after 2 leaves the intent: whoever is assigned next rebuilds exactly [a, b] and goes on at 3. Nothing is ever
committed, written or buried for a partition that the current assignment does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from auditlane.worker.actions import Action, Bury, Commit, Failure, Halt, Pause, Remedy, Resume, Write
from auditlane.worker.budget import Budget
from auditlane.worker.intent import Intent, digest
from auditlane.worker.lanes import Flight, Lane, Policy, Step
from auditlane.worker.ranges import Columns, Partition, Range
from auditlane.worker.recovery import TRUNCATED, Found, Start, start
from auditlane.worker.room import Room
from auditlane.worker.sealing import due


class Core:
    """One worker's partitions. All times are monotonic milliseconds except `wall_ms`, which only informs people."""

    def __init__(self, policy: Policy, now: int = 0) -> None:
        self.policy = policy
        self.budget = Budget.of(policy.parts_per_second, now)
        self.lanes: dict[Partition, Lane] = {}
        self.draining = False
        self._leases = 0
        self._room = Room(policy.queue_bytes)

    # Events: what Kafka says.

    def assigned(self, found: Found) -> Start:
        """A partition is ours. The answer says where to begin; the caller assigns it there."""
        begin = start(found)
        self._leases += 1
        self.lanes[found.partition] = Lane(
            found.partition,
            found.topic_id,
            self._leases,
            begin=begin.offset,
            position=begin.offset,
            rebuild=begin.rebuild,
            halted=begin.halt,
            doubt=begin.doubt,
        )
        return begin

    def dropped(self, partitions: Iterable[Partition]) -> list[Partition]:
        """Partitions were revoked or lost: forget them at once; the intent hands over what is in flight.

        Returns those that are paused. Resume them: librdkafka keeps a pause for when they are assigned again.
        """
        lanes = [lane for one in partitions if (lane := self.lanes.pop(one, None)) is not None]
        return [lane.partition for lane in lanes if lane.paused]

    def received(self, partition: Partition, columns: Columns, now: int) -> int:
        """Messages in order of offset. Returns how many offsets Kafka left out (its control records, usually).

        What lies below the position was delivered before; what comes for a halted or dropped partition is nobody's.
        """
        lane = self.lanes.get(partition)
        if lane is None or lane.halted or self.draining:
            return 0
        if below := columns.before(lane.position):
            columns.take(below)
        if not columns:
            return 0
        left_out = columns.offsets[-1] + 1 - lane.position - len(columns)
        lane.position = columns.offsets[-1] + 1
        if not lane.held:
            lane.since = now
        lane.held.extend(columns)
        if lane.rebuild is not None:
            self._rebuild(lane, lane.rebuild, now)
        return left_out

    def unreadable(self, partition: Partition, reason: str) -> None:
        """Kafka cannot deliver the position (out of range, say). What was read before is still written."""
        lane = self.lanes.get(partition)
        if lane is not None:
            lane.halt(reason)
            if lane.rebuild is not None:  # its intent stands
                lane.rebuild, lane.held = None, Columns()

    # Events: what became of our actions.

    def committed(self, commit: Commit, errors: Mapping[Partition, str], now: int) -> None:
        """The answer to a commit: partitions with an error are committed again, the same, after the next poll."""
        for partition in commit.offsets:
            lane = self.lanes.get(partition)
            if lane is None or lane.flight is None:
                continue
            if partition in errors:
                lane.flight.back_off(now)
            elif lane.flight.step is Step.INTENT:
                lane.flight.next(Step.WRITE)
            else:
                lane.flight = None

    def written(self, range_: Range, *, parts: int, rejected: int, took_ms: int) -> None:
        """Every month of the range is stored; `rejected` messages are left to bury."""
        self.budget.spend(max(0, parts - 1))  # one was paid for when the range was sealed
        self.budget.stored(took_ms)
        flight = self._flight(range_)
        if flight is not None:
            flight.next(Step.BURY if rejected else Step.COMPLETE)

    def buried(self, range_: Range) -> None:
        """Every dead letter of the range is acknowledged."""
        flight = self._flight(range_)
        if flight is not None:
            flight.next(Step.COMPLETE)

    def failed(self, range_: Range, failure: Failure, now: int) -> None:
        """The range's step failed. It is tried again, or its partition halts; it is never dropped."""
        if failure.remedy is Remedy.slower:
            self.budget.pushed_back()
        flight = self._flight(range_)
        if flight is None:
            return
        flight.back_off(now)
        if failure.remedy in (Remedy.halt, Remedy.brake):  # its intent stands: the next assignment takes it up again
            lane = self.lanes[range_.partition]
            lane.braked = failure.remedy is Remedy.brake
            lane.halt(f"{range_}: {failure.message}")
            lane.begin, lane.oldest_ms = range_.first, range_.columns.timestamps_ms[0]  # it is behind from here on
            lane.flight = None
            lane.held = Columns()

    def drain(self) -> None:
        """Take nothing more; seal and finish what is held."""
        self.draining = True
        for lane in self.lanes.values():
            if lane.rebuild is not None:  # its intent stands: whoever is next rebuilds it
                lane.rebuild, lane.held = None, Columns()

    @property
    def drained(self) -> bool:
        """Whether nothing is held or in flight any more, halted partitions aside."""
        return self.draining and not any(lane.flight or lane.held for lane in self.lanes.values())

    # Decisions.

    @property
    def full(self) -> bool:
        """Whether nothing is to be read until the insert threads have made room. Decided by `step`."""
        return self._room.waits

    @property
    def still(self) -> bool:
        """Whether every partition is paused."""
        return bool(self.lanes) and all(lane.paused for lane in self.lanes.values())

    def step(self, now: int, wall_ms: int) -> list[Action]:
        """What to do now. Call again after executing a commit, since its answer allows the next step."""
        actions: list[Action] = [*self._halts(), *self._flow(now)]
        self._seal(now)
        commits: dict[Partition, tuple[int, str]] = {}
        intents: set[Partition] = set()
        for lane in self.lanes.values():
            flight = lane.flight
            if flight is None or flight.busy or now < flight.not_before:
                continue
            if flight.step is Step.INTENT:
                commits[lane.partition] = (flight.range.first, lane.intent(flight.range, wall_ms))
                intents.add(lane.partition)
            elif flight.step is Step.COMPLETE:
                commits[lane.partition] = (flight.range.last + 1, lane.done(flight.range, wall_ms))
            elif flight.step is Step.WRITE:
                flight.busy = True
                actions.append(Write(flight.range))
            elif flight.step is Step.BURY:
                flight.busy = True
                actions.append(Bury(flight.range))
        if commits:
            actions.append(Commit(commits, frozenset(intents)))
        return actions

    def _flight(self, range_: Range) -> Flight | None:
        lane = self.lanes.get(range_.partition)
        return lane.flight if lane is not None and lane.lease == range_.lease else None

    def _rebuild(self, lane: Lane, intent: Intent, now: int) -> None:
        """Restore a pending range as soon as all of it is here; another digest halts the partition."""
        assert intent.last is not None
        if lane.position <= intent.last:
            return
        columns = lane.held.take(lane.held.through(intent.last))
        lane.rebuild, lane.since = None, now
        if digest(columns) != intent.digest:
            lane.held, lane.oldest_ms = Columns(), columns.timestamps_ms[0] if columns else 0
            lane.halt(
                f"offsets {intent.first}-{intent.last} are pending, but Kafka now holds other messages there: "
                f"the log was truncated; {TRUNCATED}"
            )
            return
        sealed = self._range(lane, columns, intent.last, intent.digest, redo=True)
        lane.flight = Flight(sealed, Step.WRITE)  # the intent is committed already

    def _seal(self, now: int) -> None:
        """Seal what is due, as the budget and the flights allow."""
        lanes = self.lanes.values()
        flights = sum(not lane.free for lane in lanes)
        for lane in due(lanes, self.policy, self._room, now, draining=self.draining):
            if flights >= self.policy.flights or not (self.draining or self.budget.ready(now)):
                return
            columns = lane.held.take(lane.held.fitting(self.policy.range_rows, self.policy.range_bytes))
            sealed = self._range(lane, columns, columns.offsets[-1], digest(columns))
            lane.flight = Flight(sealed, Step.INTENT)
            lane.since = now
            self.budget.spend(1)
            flights += 1

    def _range(self, lane: Lane, columns: Columns, last: int, digest: str, *, redo: bool = False) -> Range:
        redo = redo or lane.begin < lane.doubt
        sealed = Range(lane.partition, lane.topic_id, lane.begin, last, columns, digest, lane.lease, redo)
        lane.begin = last + 1
        return sealed

    def _halts(self) -> list[Action]:
        news = [lane for lane in self.lanes.values() if lane.halted and not lane.told]
        for lane in news:
            lane.told = True
        return [Halt(lane.partition, lane.halted) for lane in news]

    def _flow(self, now: int) -> list[Action]:
        """Pause and resume. What a rebuild waits for is read also while too much is held: it frees nothing before."""
        lanes = self.lanes.values()
        rebuilding = any(lane.rebuild is not None for lane in lanes)
        self._room.look(sum(lane.held_bytes for lane in lanes), now, urgent=rebuilding or self.draining)
        pause: list[Partition] = []
        resume: list[Partition] = []
        for lane in lanes:
            stop = bool(lane.halted) or self.draining or (self._room.paused and lane.rebuild is None)
            if stop != lane.paused:
                lane.paused = stop
                (pause if stop else resume).append(lane.partition)
        return [*([Pause(tuple(pause))] if pause else []), *([Resume(tuple(resume))] if resume else [])]
