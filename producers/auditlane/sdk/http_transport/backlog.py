"""The events that wait to be sent to the gateway, in the order of each tenant. This module performs no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditlane.sdk.transport import Undelivered

if TYPE_CHECKING:
    from auditlane.sdk.spool.event import Event

# The outcome of one event: None when it is acknowledged.
OnReport = Callable[[Undelivered | None], None]


@dataclass(slots=True, eq=False)
class Item:
    """One event. `deadline` is the monotonic time after which it fails. `event` is set if the event was offered.

    `refusals` counts how often something other than the gateway has refused a request with only this event. A refusal
    counts only if the gateway has accepted other events since the previous one. `refused_at` is the number of events
    that the gateway had accepted by the last counted refusal.
    """

    event_id: str
    tenant: str
    line: bytes
    report: OnReport
    deadline: float
    event: Event | None = None
    reported: bool = False
    refusals: int = 0
    refused_at: int = -1


@dataclass(slots=True)
class _Hold:
    until: float
    items: deque[Item] = field(default_factory=deque)


class Backlog:
    """Holds events, and selects those of the next request. Not thread-safe.

    While some events of a tenant are on hold, its later events wait behind them. Other tenants are not affected.
    """

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._holds: dict[str, _Hold] = {}

    def __bool__(self) -> bool:
        return bool(self._items or self._holds)

    def add(self, item: Item) -> None:
        """Add a new event."""
        self._items.append(item)

    def put_back(self, items: Iterable[Item]) -> None:
        """Put taken events back. They are sent before later events of their tenants."""
        for item in reversed(list(items)):
            hold = self._holds.get(item.tenant)
            (self._items if hold is None else hold.items).appendleft(item)

    def hold(self, items: Iterable[Item], until: float) -> None:
        """Put taken events back, and hold all events of their tenants until `until` (monotonic seconds)."""
        for item in reversed(list(items)):
            hold = self._holds.setdefault(item.tenant, _Hold(until))
            hold.until = until
            hold.items.appendleft(item)

    def take(self, now: float, most: int, most_bytes: int) -> list[Item]:
        """Remove and return the events of the next request: at most `most`, and at most `most_bytes` unless the first
        event is larger.
        """
        taken: list[Item] = []
        size = 0

        def fits(item: Item) -> bool:
            return not taken or (len(taken) < most and size + len(item.line) <= most_bytes)

        for tenant, hold in list(self._holds.items()):
            if hold.until > now:
                continue
            while hold.items and fits(hold.items[0]):
                size += len(hold.items[0].line)
                taken.append(hold.items.popleft())
            if not hold.items:
                del self._holds[tenant]
        while self._items and fits(self._items[0]):
            item = self._items.popleft()
            if (hold_ := self._holds.get(item.tenant)) is not None:
                hold_.items.append(item)
                continue
            size += len(item.line)
            taken.append(item)
        return taken

    def next_at(self) -> float | None:
        """Return the time at which to call `take`. It is 0 if there are new events, and None if there are no events at
        all."""
        if self._items:
            return 0.0
        return min((hold.until for hold in self._holds.values()), default=None)

    def expired(self, now: float) -> list[Item]:
        """Remove and return the events whose deadline has passed."""
        found = []
        for queue in [self._items, *(hold.items for hold in self._holds.values())]:
            while queue and queue[0].deadline <= now:
                found.append(queue.popleft())
        self._holds = {tenant: hold for tenant, hold in self._holds.items() if hold.items}
        return found

    def clear(self) -> list[Item]:
        """Remove and return all events."""
        found = [*(item for hold in self._holds.values() for item in hold.items), *self._items]
        self._items.clear()
        self._holds.clear()
        return found
