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

from auditlane.contract.intent import Intent
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.recovery import TRUNCATED, Found, Start, start
from auditlane.runtime.remedy import Failure, Remedy
from auditlane.store.insert_rate import Budget
from auditlane.worker.protocol.actions import Action, Bury, Commit, Halt, Pause, Resume, Seek, Write
from auditlane.worker.protocol.backpressure import Room
from auditlane.worker.protocol.partition_state import SLOW_MS, Flight, Lane, Policy, Step
from auditlane.worker.protocol.ranges import Range, digest
from auditlane.worker.protocol.scheduling import due


class Core:
    """One worker's partitions. All times are monotonic milliseconds except `wall_ms`, which only informs people."""

    def __init__(self, policy: Policy, now: int = 0) -> None:
        self.policy = policy
        self.budget = Budget.of(policy.parts_per_second, now)
        self.lanes: dict[Partition, Lane] = {}
        self.draining = False
        self._leases = 0
        self._room = Room(policy.buffer_bytes)
        self._stored = 0  # ranges, of all partitions

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
        if lane is None or lane.halted or lane.parked_until is not None or self.draining:
            return 0
        if below := columns.before(lane.position):
            columns.take(below)
        if not columns:
            return 0
        skipped = columns.offsets[-1] + 1 - lane.position - len(columns)
        lane.position = columns.offsets[-1] + 1
        if not lane.held:
            lane.since = now
        lane.held.extend(columns)
        if lane.rebuild is not None:
            self._rebuild(lane, lane.rebuild, now)
        return skipped

    def unreadable(self, partition: Partition, reason: str) -> None:
        """Kafka cannot deliver the position (out of range, say). What was read before is still written."""
        lane = self.lanes.get(partition)
        if lane is not None:
            lane.halt(reason)
            if lane.rebuild is not None:  # its intent stands
                lane.rebuild, lane.parked_until, lane.held = None, None, Columns()

    # Events: what became of our actions.

    def committed(self, commit: Commit, errors: Mapping[Partition, str], now: int) -> None:
        """The answer to a commit: partitions with an error are committed again, the same, after the next poll."""
        for partition in commit.offsets:
            lane = self.lanes.get(partition)
            if lane is None or lane.flight is None or partition in commit.notes:
                continue
            if partition in errors:
                lane.fails(f"{lane.flight.range}: the offsets' commit failed: {errors[partition]}", now)
                lane.flight.back_off(now)
                continue
            lane.succeeds()
            if lane.flight.step is Step.INTENT:
                lane.flight.next(Step.WRITE)
                lane.flight.aside = lane.slow
            else:
                lane.flight, lane.gave_up = None, False

    def written(self, range_: Range, *, parts: int, rejected: int, took_ms: int) -> None:
        """Every month of the range is stored; `rejected` messages are left to bury. `parts` are those of its present
        months, and `took_ms` is what these took: late ones have a budget of their own."""
        self.budget.spend(max(0, parts - 1))  # one was paid for when the range was sealed
        self.budget.stored(took_ms)
        self._stored += 1
        flight = self._flight(range_)
        if flight is not None:
            self.lanes[range_.partition].succeeds()
            flight.next(Step.BURY if rejected else Step.COMPLETE)

    def later(self, range_: Range, wait_ms: int, now: int) -> None:
        """The present months of the range are stored, and its late months wait for their budget."""
        flight = self._flight(range_)
        if flight is not None:
            self.lanes[range_.partition].succeeds()
            flight.busy, flight.attempts, flight.aside, flight.not_before = False, 0, True, now + wait_ms

    def buried(self, range_: Range) -> None:
        """Every dead letter of the range is acknowledged."""
        flight = self._flight(range_)
        if flight is not None:
            self.lanes[range_.partition].succeeds()
            flight.next(Step.COMPLETE)

    def failed(self, range_: Range, failure: Failure, now: int) -> None:
        """The range's step failed. It is tried again, or its partition halts; it is never dropped."""
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
        self.lanes[range_.partition].fails(f"{range_}: {failure.message}", now)
        if failure.remedy in (
            Remedy.halt,
            Remedy.open_circuit,
        ):  # its intent stands: the next assignment takes it up again
            lane = self.lanes[range_.partition]
            lane.circuit_open = failure.remedy is Remedy.open_circuit
            lane.halt(f"{range_}: {failure.message}")
            lane.begin, lane.oldest_ms = range_.first, range_.columns.timestamps_ms[0]  # it is behind from here on
            lane.flight = None
            lane.held = Columns()

    def drain(self) -> None:
        """Take nothing more; seal and finish what is held."""
        self.draining = True
        for lane in self.lanes.values():
            if lane.rebuild is not None:  # its intent stands: whoever is next rebuilds it
                lane.rebuild, lane.parked_until, lane.held = None, None, Columns()

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
        notes: set[Partition] = set()
        for lane in self.lanes.values():
            flight = lane.flight
            if flight is None:
                continue
            if self._notes(lane, flight, now):
                failing_ms = max(1, wall_ms - (now - (lane.failing_since or 0)))
                told = lane.announced(flight.range, wall_ms, failing_ms=failing_ms)
                commits[lane.partition] = (flight.range.first, told.encode())
                notes.add(lane.partition)
                lane.noted = now
            if flight.busy:
                lane.slow = now - flight.busy_since >= SLOW_MS
                flight.aside = flight.aside or lane.slow
            if flight.busy or now < flight.not_before:
                continue
            if flight.step is Step.INTENT:
                commits[lane.partition] = (flight.range.first, lane.intent(flight.range, wall_ms))
                intents.add(lane.partition)
            elif flight.step is Step.COMPLETE:
                commits[lane.partition] = (flight.range.last + 1, lane.done(flight.range, wall_ms))
            elif flight.step is Step.WRITE:
                flight.begin(now)
                actions.append(Write(flight.range))
            elif flight.step is Step.BURY:
                flight.begin(now)
                actions.append(Bury(flight.range))
        if commits:
            actions.append(Commit(commits, frozenset(intents), frozenset(notes)))
        return actions

    def _flight(self, range_: Range) -> Flight | None:
        lane = self.lanes.get(range_.partition)
        return lane.flight if lane is not None and lane.lease == range_.lease else None

    def _overloaded(self, flight: Flight | None) -> bool:
        """Whether a range that is refused for want of capacity says so of ClickHouse, and not of itself alone: it takes
        too much memory, say, while other ranges are stored."""
        return flight is None or not flight.attempts or self._stored == flight.stored_before

    def _notes(self, lane: Lane, flight: Flight, now: int) -> bool:
        """Whether to tell those who read the group's offsets that the announced range fails."""
        if lane.failing_since is None or flight.step not in (Step.WRITE, Step.BURY) or lane.halted:
            return False
        return now - (lane.failing_since if lane.noted is None else lane.noted) >= self.policy.failing_ms

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
        if lane.parked_attempts:
            lane.flight.aside, lane.flight.attempts, lane.parked_attempts = True, lane.parked_attempts, 0

    def _seal(self, now: int) -> None:
        """Seal what is due, as the budget and the flights allow."""
        lanes = self.lanes.values()
        flights = sum(not lane.free and not lane.aside for lane in lanes)
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
        actions: list[Action] = [*self._make_room(now)]
        lanes = self.lanes.values()
        self._unpark(now)
        rebuilding = any(lane.rebuild is not None and lane.parked_until is None for lane in lanes)
        self._room.look(self._held(), now, urgent=rebuilding or self.draining)
        share = self._room.share(len(lanes))
        pause: list[Partition] = []
        resume: list[Partition] = []
        for lane in lanes:
            stop = bool(lane.halted) or self.draining or lane.parked_until is not None
            stop = (
                stop
                or (self._room.paused and lane.rebuild is None)
                or (lane.aside and (lane.gave_up or lane.held.size >= share))
            )
            if stop != lane.paused:
                lane.paused = stop
                (pause if stop else resume).append(lane.partition)
        if pause:
            actions.append(Pause(tuple(pause)))
        if resume:
            actions.append(Resume(tuple(resume)))
        return actions

    def _held(self) -> int:
        return sum(lane.held_bytes for lane in self.lanes.values())

    def _make_room(self, now: int) -> list[Seek]:
        """What partitions that do not get on give up while too much is held: what is not sealed, then also ranges that
        failed. Nobody gives up anything while no other partition could use the room."""
        lanes = [lane for lane in self.lanes.values() if not lane.halted]
        stuck = [lane for lane in lanes if lane.aside]
        if self.draining or len(stuck) == len(lanes) or self._held() < self.policy.buffer_bytes:
            return []
        share = self._room.share(len(self.lanes))
        seeks = [lane.shed() for lane in stuck if lane.held.size > share]
        for lane in sorted(stuck, key=lambda lane: (lane.failing_since is None, -lane.held_bytes)):
            flight = lane.flight
            assert flight is not None
            if self._held() < self.policy.buffer_bytes:
                break
            waits = not flight.busy and now < flight.not_before  # else its next step may be the one that succeeds
            if waits and flight.step in (Step.WRITE, Step.BURY) and lane.held_bytes > share:
                seeks.append(lane.park(now + self.policy.park_ms))
        return seeks

    def _unpark(self, now: int) -> None:
        """Let the range of a parked partition be read again, of one at a time."""
        lanes = self.lanes.values()
        if any(lane.rebuild is not None and lane.parked_until is None for lane in lanes):
            return
        waiting = [lane for lane in lanes if lane.parked_until is not None and now >= lane.parked_until]
        if waiting:
            min(waiting, key=lambda lane: lane.parked_until or 0).parked_until = None
