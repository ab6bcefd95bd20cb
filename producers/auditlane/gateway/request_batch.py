"""One request of many events: a slice is on its way to Kafka while the next is read, and no more than that is held.

What became of the events is counted in bounded memory, for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from auditlane.gateway.ingest_service import SLICE, IngestService, Result
from auditlane.gateway.sender import Sender
from auditlane.runtime.errors import (
    AuditlaneError,
    BodyTooLarge,
    BufferFull,
    KafkaUnavailable,
    RateLimited,
    Unavailable,
    http_status,
)
from auditlane.runtime.fair_share import Timed, current

KEPT: Final = 1_000


@dataclass(slots=True)
class BatchResult:
    """`results` holds every result of a request of up to KEPT events; of a longer one the first KEPT refused ones."""

    accepted: int = 0
    refused: int = 0
    results: list[Result] = field(default_factory=list)
    first: AuditlaneError | None = None  # of the refusals
    again: AuditlaneError | None = None  # the first that may not happen again, when the request is sent again
    outage: AuditlaneError | None = None  # the first of Kafka's: what follows would fail alike

    @property
    def events(self) -> int:
        return self.accepted + self.refused

    @property
    def left_out(self) -> int:
        """How many events have no result here."""
        return self.events - len(self.results)

    def add(self, results: Iterable[Result]) -> None:
        for result in results:
            if result.error is None:
                self.accepted += 1
            else:
                self._refused(result.error)
            if self.events == KEPT + 1:
                self.results = [kept for kept in self.results if kept.error]
            if len(self.results) < KEPT and (result.error or self.events <= KEPT):
                self.results.append(result)

    def _refused(self, error: AuditlaneError) -> None:
        self.refused += 1
        self.first = self.first or error
        if isinstance(error, (Unavailable, BufferFull, RateLimited)):
            self.again = self.again or error
        if isinstance(error, (KafkaUnavailable, BufferFull)):
            self.outage = self.outage or error


def answer(outcome: BatchResult) -> dict[str, Any]:
    """The body of an answer, also as part of a problem's."""
    return {
        "accepted": outcome.accepted,
        "refused": outcome.refused,
        "results": [_item(one) for one in outcome.results],
        "left_out": outcome.left_out,
    }


def _item(result: Result) -> dict[str, Any]:
    error = result.error
    if error is None:
        return {"index": result.index, "status": int(HTTPStatus.ACCEPTED), "event_id": result.event_id}
    members = {
        "event_id": result.event_id,
        "code": error.code,
        "detail": error.message,
        "fix": error.fix,
        "field": error.field,
    }
    return {"index": result.index, "status": http_status(error)} | {
        name: text for name, text in members.items() if text
    }


ParsedEvents = tuple[list[object], int]  # values, and how many bytes they were
SLICE_BYTES: Final = 1 << 20


def too_many(most: int) -> BodyTooLarge:
    """A request with more events than it may hold."""
    return BodyTooLarge(f"A request holds at most {most} events.", fix="Send several requests.")


async def post(service: IngestService, arriving: AsyncIterator[ParsedEvents], sender: Sender, most: int) -> BatchResult:
    """Take the events as they arrive, at most `most` of them.

    Once Kafka fails, the rest is read and refused alike, without trying. What ends the reading (a body or a request
    that is too large) is raised while nothing was accepted; later it is the result of the first event left unread.
    """
    batch = _RequestBatch(service, sender)
    ended: AuditlaneError | None = None
    try:
        async for values, size in arriving:
            if len(values) > (room := most - batch.read):
                values, ended = values[:room], too_many(most)
            await batch.add(values, size)
            if ended:
                break
    except AuditlaneError as error:
        ended = error
    finally:  # also when the client has gone: what is on its way is waited for and counted
        await batch.settle()
    await batch.send()
    await batch.settle()
    if ended and not batch.outcome.accepted:
        raise ended
    if ended:
        batch.outcome.add([Result(batch.read, "", ended)])
    return batch.outcome


async def _charged(taking: Coroutine[Any, Any, list[Result]]) -> list[Result]:
    """In a task of its own, whose steps nobody else counts."""
    return await Timed(taking, current().charge)


class _RequestBatch:
    def __init__(self, service: IngestService, sender: Sender) -> None:
        self.outcome = BatchResult()
        self.read = 0
        self._service = service
        self._sender = sender
        self._waiting: list[object] = []
        self._bytes = 0
        self._sent: asyncio.Task[list[Result]] | None = None

    async def add(self, values: list[object], size: int) -> None:
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
        if self.outcome.outage:
            self.outcome.add(Result(first + place, "", self.outcome.outage) for place in range(len(posted)))
        elif posted:
            self._sent = asyncio.create_task(_charged(self._service.send_slice(posted, self._sender, first)))

    async def settle(self) -> None:
        if self._sent:
            sent, self._sent = self._sent, None
            self.outcome.add(await sent)
