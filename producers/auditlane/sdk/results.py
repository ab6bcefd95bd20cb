"""What a client tells of its deliveries: the result of a flush, one failure, the counters."""

from __future__ import annotations

from dataclasses import dataclass

from auditlane.runtime.errors import AuditlaneError, DeliveryFailed


@dataclass(frozen=True, slots=True)
class Failure:
    """One event that Kafka did not take, and why."""

    event_id: str
    tenant_id: str
    error: AuditlaneError


@dataclass(frozen=True, slots=True)
class FlushResult:
    """What became of the events since the flush before; true when every one is acknowledged.

    `failed` holds the first failures only, `failed_count` all of them. `pending` events may still
    arrive. `problem` says why nothing moves, where that is known.
    """

    delivered: int
    failed_count: int
    failed: tuple[Failure, ...]
    pending: int
    problem: AuditlaneError | None = None

    def __bool__(self) -> bool:
        return not self.failed_count and not self.pending

    def followed_by(self, later: FlushResult) -> FlushResult:
        """This and a later flush as one; what was pending is what the later one still waits for."""
        return FlushResult(
            self.delivered + later.delivered,
            self.failed_count + later.failed_count,
            (*self.failed, *later.failed),
            later.pending,
            later.problem or self.problem,
        )

    def raise_for_failure(self) -> None:
        """Raise what went wrong, if anything did: DeliveryFailed or KafkaUnavailable."""
        if self:
            return
        first = self.failed[0].error if self.failed else self.problem
        counts = f"{self.failed_count} events failed, {self.pending} are not acknowledged yet"
        if first is None:
            raise DeliveryFailed(
                f"Kafka did not acknowledge in time: {counts}.", fix="Flush again with a longer timeout."
            )
        raise type(first)(f"{first.message} ({counts}.)", fix=first.fix)


@dataclass(frozen=True, slots=True)
class ClientStats:
    """Counters since the client was made. `emitted` = `delivered` + `failed` + `pending`."""

    emitted: int = 0
    delivered: int = 0
    failed: int = 0
    pending: int = 0
    rejected: int = 0  # refused by validation
    buffer_full: int = 0  # refused for want of room
    producer_restarts: int = 0  # after a fatal error, or in a forked child
