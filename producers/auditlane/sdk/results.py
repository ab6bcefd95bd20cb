"""A client's reports on its deliveries: flush results, failures and counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from auditlane.runtime.errors import AuditlaneError, DeliveryFailed


@dataclass(frozen=True, slots=True)
class Failure:
    """One event that was not delivered, and the reason."""

    event_id: str
    tenant_id: str
    error: AuditlaneError


@dataclass(frozen=True, slots=True)
class FlushResult:
    """The outcome of the events since the previous flush. It is true if Kafka has acknowledged all of them.

    `failed` contains the first 100 failures, and `failed_count` counts all of them. `pending` events have no outcome
    yet; `problem` is the reason, if known.
    """

    delivered: int
    failed_count: int
    failed: tuple[Failure, ...]
    pending: int
    problem: AuditlaneError | None = None
    spooled: int = 0

    def __bool__(self) -> bool:
        return not self.failed_count and not self.pending

    def followed_by(self, later: FlushResult) -> FlushResult:
        """Combine the results of this flush and a later one. `pending` is taken from the later one."""
        return FlushResult(
            self.delivered + later.delivered,
            self.failed_count + later.failed_count,
            (*self.failed, *later.failed),
            later.pending,
            later.problem or self.problem,
            later.spooled,
        )

    def raise_for_failure(self) -> None:
        """Raise the first failure, or DeliveryFailed or KafkaUnavailable with the reason why events are pending."""
        if self:
            return
        first = self.failed[0].error if self.failed else self.problem
        counts = f"{self.failed_count} events failed, {self.pending} are not acknowledged yet"
        if first is None:
            raise DeliveryFailed(
                f"Not all events were acknowledged in time: {counts}.", fix="Flush again with a longer timeout."
            )
        raise type(first)(f"{first.message} ({counts}.)", fix=first.fix)


@dataclass(frozen=True, slots=True)
class SpoolStats:
    """The state of a client's spool. Sizes are in bytes.

    `size` is that of all processes' files, of which `limit` bytes are permitted. The other values are about the events
    of this process and those that it has taken over from processes that ended; counters start with the client.
    """

    size: int = 0
    limit: int = 0
    events: int = 0  # number of events on disk that are not acknowledged
    held: int = 0  # number of these that wait for their tenant's contract
    oldest_s: float = 0.0  # age of the oldest of these in seconds, or 0 if there are none
    set_aside: int = 0  # number of files in the folder with rejected events or damaged bytes
    sent: int = 0  # number of events read from disk that were then acknowledged
    dropped: Mapping[str, int] = field(default_factory=dict)  # number of lost events that were reported, by reason


@dataclass(frozen=True, slots=True)
class ClientStats:
    """Counters since the client was created. `emitted` = `delivered` + `failed` + `pending`.

    Only `pending`, `pending_bytes` and `spooled` ever decrease. Sizes are those of encoded events before compression.
    """

    emitted: int = 0
    delivered: int = 0
    failed: int = 0
    pending: int = 0
    rejected: int = 0  # number of events rejected by validation
    buffer_full: int = 0  # number of events not accepted because the buffer was full
    producer_restarts: int = 0  # number of new producers after a fatal error or in a forked child
    unrecorded: int = 0  # number of `record` calls that emitted no event
    refused: Mapping[str, int] = field(default_factory=dict)  # number of `emit` calls that raised, by error code
    failures: Mapping[str, int] = field(default_factory=dict)  # number of failed events by error code
    emitted_bytes: int = 0
    pending_bytes: int = 0
    flushes: int = 0  # number of completed `flush` calls, including the one in `close`
    flush_seconds: float = 0.0  # time spent in `flush`
    spooled: int = 0  # number of events on disk that Kafka has not acknowledged
    unassigned: int = 0  # number of recorded events without a valid tenant, which went to the catch-all tenant
    spool: SpoolStats | None = None  # None without a spool
