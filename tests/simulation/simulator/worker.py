"""A simulated worker process: the real core, driven step by step as the consumer loop would."""

from __future__ import annotations

from random import Random

from simulator.inserts import Inserts
from simulator.kafka import TOPIC_ID, Member
from simulator.world import World

from auditlane.contract.partition import Partition
from auditlane.contract.recovery import AssignmentFacts, StoredOffsetsSummary, wants_store
from auditlane.worker.protocol.actions import Commit, Halt, Pause, Publish, Resume, Seek, Write
from auditlane.worker.protocol.core import Core
from auditlane.worker.protocol.partition_state import Policy


class Worker(Inserts):
    """A simulated worker. `poll` and `act` together make one turn of the consumer loop, and `advance` performs one step
    of one insert thread.
    """

    core_class: type[Core] = Core

    def __init__(self, name: str, world: World, random: Random, policy: Policy) -> None:
        super().__init__(name, world, random)
        self.born = random.choice([0, 1_000, 10_000_000])  # monotonic clocks have an arbitrary origin
        self.core = self.core_class(policy, self.now)
        self.positions: dict[Partition, int] = {}
        self.paused: set[Partition] = set()
        self.halts: dict[Partition, str] = {}
        self.late: list[tuple[int, dict[Partition, tuple[int, str]]]] = []
        self.frozen = False
        world.kafka.join(name)
        self.member: Member = world.kafka.members[name]

    @property
    def now(self) -> int:
        return self.world.now + self.born

    def struck(self, fault: str) -> None:
        for partition in self.member.owned:
            self.world.struck[fault, self._state_of(partition)] += 1

    def _state_of(self, partition: Partition) -> str:
        state = self.core.partitions.get(partition)
        if state is None or (state.flight is None and state.rebuild is None):
            return "holding" if state is not None and state.held else "idle"
        if state.flight is None:
            return "rebuilding"
        sent = any(job.sent is not None and job.work.range is state.flight.range for job in self.jobs)
        return "writing, insert sent" if sent else state.flight.step.name.lower()

    # The consuming thread.

    def poll(self) -> None:
        """Poll as the consumer does: handle a rebalance, and then fetch messages, unless backpressure is active."""
        if self.core.must_wait:
            return
        kafka = self.world.kafka
        revoked, assigned = kafka.poll(self.member)
        if self.member.expelled:  # rejoin with a new identity, as the real client does
            kafka.join(self.name)
            self.member = kafka.members[self.name]
        if revoked:
            self.world.log(f"{self.name} loses {_names(revoked)}")
            for partition in revoked:
                self.world.struck["revoked", self._state_of(partition)] += 1
            self.paused.difference_update(self.core.revoked(revoked))  # in librdkafka, a pause outlives the assignment
            for partition in revoked:
                self.positions.pop(partition, None)
                self.halts.pop(partition, None)
        for partition in sorted(assigned):
            begin = self.core.assigned(self._facts(partition))
            self.positions[partition] = begin.offset
            rebuild = f", rebuilds {begin.rebuild.first}-{begin.rebuild.last}" if begin.rebuild else ""
            self.world.log(f"{self.name} starts {partition} at {begin.offset}{rebuild} {begin.halt}")
        for partition in sorted(self.positions):
            if partition in self.paused or (not self.world.quiet and self.random.random() < 0.3):
                continue
            columns = kafka.fetch(partition, self.positions[partition], self.random.randint(1, 9))
            if columns:
                self.positions[partition] = columns.offsets[-1] + 1
                self.core.received(partition, columns, self.now)

    def act(self) -> None:
        """Perform the core's actions. The core gets the result of a commit immediately, since the real call is
        synchronous.
        """
        for _ in range(4):
            actions = self.core.step(self.now, self.world.now + self.world.skew)
            for action in actions:
                match action:
                    case Write() | Publish():
                        self.submit(action)
                    case Commit():
                        self.core.committed(action, self._commit(action), self.now)
                    case Pause(partitions):
                        self.paused.update(partitions)
                    case Resume(partitions):
                        self.paused.difference_update(partitions)
                    case Seek(partition, offset):
                        self.world.log(f"{self.name} seeks {partition} back to {offset}")
                        self.world.events["range discarded to free memory"] += 1
                        self.positions[partition] = offset
                    case Halt(partition, reason):
                        self.halts[partition] = reason
            if not any(isinstance(action, Commit) for action in actions):
                return

    def _facts(self, partition: Partition) -> AssignmentFacts:
        kafka = self.world.kafka
        offset, metadata = kafka.committed.get(partition, (None, ""))
        stored = None
        if wants_store(offset, metadata, TOPIC_ID) and self.random.random() >= self.world.trouble:
            offsets = self.world.clickhouse.stored(partition)
            gaps = sorted(set(range(offsets[-1])) - set(offsets)) if offsets else []
            stored = (
                StoredOffsetsSummary(offsets[-1], gaps[0] if gaps else None) if offsets else StoredOffsetsSummary(None)
            )
        return AssignmentFacts(partition, TOPIC_ID, offset, metadata, 0, kafka.ends[partition], stored)

    def _commit(self, commit: Commit) -> dict[Partition, str]:
        """Try to commit. With a fault, the commit is lost, arrives late, is partly accepted, or is accepted without a
        response.
        """
        kafka, epoch = self.world.kafka, self.member.epoch
        self.arrive()
        fault = self.random.choice(["lost", "late", "unanswered", "partly"]) if self._trouble() else ""
        self.world.log(f"{self.name} commits {_plan(commit)} {fault}")
        if fault:
            self.world.events[f"commit {fault}"] += 1
        if fault == "lost":
            return dict.fromkeys(commit.offsets, "lost")
        if fault == "late":
            self.late.append((epoch, commit.offsets))
            return dict.fromkeys(commit.offsets, "timed out")
        if fault == "partly":
            part = {at: entry for at, entry in commit.offsets.items() if self.random.random() < 0.5}
            kafka.commit(self.member, epoch, part)
            return dict.fromkeys(commit.offsets, "raised")
        if not kafka.commit(self.member, epoch, commit.offsets):
            return dict.fromkeys(commit.offsets, "unknown member")
        return dict.fromkeys(commit.offsets, "unanswered") if fault else {}

    def arrive(self) -> None:
        """Deliver commits that timed out. The broker accepts them if their epoch is still current."""
        for epoch, offsets in self.late:
            self.world.kafka.commit(self.member, epoch, offsets)
        self.late.clear()


def _names(partitions: set[Partition]) -> str:
    return ", ".join(sorted(map(str, partitions)))


def _plan(commit: Commit) -> str:
    return ", ".join(
        f"{at}@{offset}{'+intent' if at in commit.intents else ''}" for at, (offset, _) in commit.offsets.items()
    )
