"""One request of many events: a slice is on its way to Kafka while the next is read, and no more than that is held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final

from auditlane.gateway.batch_result import Tally
from auditlane.gateway.ingest_service import SLICE, Intake, Result
from auditlane.gateway.sender import Sender
from auditlane.runtime.errors import AuditlaneError, BodyTooLarge
from auditlane.runtime.fair_share import Timed, current

Arrived = tuple[list[object], int]  # values, and how many bytes they were
SLICE_BYTES: Final = 1 << 20


def too_many(most: int) -> BodyTooLarge:
    """A request with more events than it may hold."""
    return BodyTooLarge(f"A request holds at most {most} events.", fix="Send several requests.")


async def post(intake: Intake, arriving: AsyncIterator[Arrived], sender: Sender, most: int) -> Tally:
    """Take the events as they arrive, at most `most` of them.

    Once Kafka fails, the rest is read and refused alike, without trying. What ends the reading (a body or a request
    that is too large) is raised while nothing was accepted; later it is the result of the first event left unread.
    """
    posting = _Posting(intake, sender)
    ended: AuditlaneError | None = None
    try:
        async for values, size in arriving:
            if len(values) > (room := most - posting.read):
                values, ended = values[:room], too_many(most)
            await posting.arrived(values, size)
            if ended:
                break
    except AuditlaneError as error:
        ended = error
    finally:  # also when the client has gone: what is on its way is waited for and counted
        await posting.settle()
    await posting.send()
    await posting.settle()
    if ended and not posting.tally.accepted:
        raise ended
    if ended:
        posting.tally.add([Result(posting.read, "", ended)])
    return posting.tally


async def _charged(taking: Coroutine[Any, Any, list[Result]]) -> list[Result]:
    """In a task of its own, whose steps nobody else counts."""
    return await Timed(taking, current().charge)


class _Posting:
    def __init__(self, intake: Intake, sender: Sender) -> None:
        self.tally = Tally()
        self.read = 0
        self._intake = intake
        self._sender = sender
        self._waiting: list[object] = []
        self._bytes = 0
        self._sent: asyncio.Task[list[Result]] | None = None

    async def arrived(self, values: list[object], size: int) -> None:
        """Send what waits as soon as nothing is on its way; when it fills a slice, wait until then."""
        self._bytes += size
        for place in range(0, len(values), SLICE):
            part = values[place : place + SLICE]
            self._waiting += part
            self.read += len(part)
            full = len(self._waiting) >= SLICE or self._bytes >= SLICE_BYTES
            if full or self._sent is None or self._sent.done():
                await self.send()

    async def send(self) -> None:
        await self.settle()
        posted, self._waiting, self._bytes = self._waiting, [], 0
        first = self.read - len(posted)
        if self.tally.outage:
            self.tally.add(Result(first + place, "", self.tally.outage) for place in range(len(posted)))
        elif posted:
            self._sent = asyncio.create_task(_charged(self._intake.take(posted, self._sender, first)))

    async def settle(self) -> None:
        if self._sent:
            sent, self._sent = self._sent, None
            self.tally.add(await sent)
