"""Sends a request of many events with bounded memory. While one slice is in flight to Kafka, the next is read.

The outcomes for the response are bounded too.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping
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
    """A request's results. Up to KEPT events, `results` has all of them; beyond that, it has the first KEPT errors."""

    accepted: int = 0
    spooled: int = 0  # number of accepted events that Kafka does not have yet
    refused: int = 0
    results: list[Result] = field(default_factory=list)
    first: AuditlaneError | None = None  # first error
    retryable: AuditlaneError | None = None  # first error that a retry may avoid
    outage: AuditlaneError | None = None  # first error from Kafka: later events would fail in the same way

    @property
    def events(self) -> int:
        return self.accepted + self.refused

    @property
    def left_out(self) -> int:
        """The number of events without an entry in `results`."""
        return self.events - len(self.results)

    def add(self, results: Iterable[Result]) -> None:
        """Add results, in the order of their events."""
        results = list(results)
        if self.events + len(results) <= KEPT and not any(result.error for result in results):
            self.accepted += len(results)
            self.spooled += sum(result.spooled for result in results)
            self.results += results
            return
        for result in results:
            if result.error is None:
                self.accepted += 1
                self.spooled += result.spooled
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
            self.retryable = self.retryable or error
        if isinstance(error, (KafkaUnavailable, BufferFull)):
            self.outage = self.outage or error


def answer(outcome: BatchResult) -> dict[str, Any]:
    """Return the JSON body of a response. Error responses contain the same members."""
    items = [_item(result) for result in outcome.results]
    return {**_counts(outcome), "results": items, "left_out": outcome.left_out}


def rendered(outcome: BatchResult) -> bytes:
    """Return the JSON text of `answer`."""
    items = [
        f'{{"index":{result.index},"status":202,"event_id":"{result.event_id}"}}'  # an id needs no escapes
        if result.error is None and not result.spooled
        else _text(_item(result))
        for result in outcome.results
    ]
    text = f'{_text(_counts(outcome))[:-1]},"results":[{",".join(items)}],"left_out":{outcome.left_out}}}'
    return text.encode()


def _counts(outcome: BatchResult) -> dict[str, int]:
    spooled = {"spooled": outcome.spooled} if outcome.spooled else {}
    return {"accepted": outcome.accepted, **spooled, "refused": outcome.refused}


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _item(result: Result) -> dict[str, Any]:
    error = result.error
    if error is None:
        item = {"index": result.index, "status": int(HTTPStatus.ACCEPTED), "event_id": result.event_id}
        return item | {"spooled": True} if result.spooled else item
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


ParsedEvents = tuple[list[object], int]  # (JSON values, their size in bytes)
SLICE_BYTES: Final = 1 << 20


def too_many(most: int) -> BodyTooLarge:
    """Return the error for a request with more than `most` events."""
    return BodyTooLarge(f"The request has more than {most} events.", fix="Split it into several requests.")


async def post(service: IngestService, arriving: AsyncIterator[ParsedEvents], sender: Sender, most: int) -> BatchResult:
    """Send events as they arrive, up to `most` of them.

    Once Kafka fails, the remaining events get the same error without being sent. An error that ends reading, such as a
    body that is too large, is raised if no event was accepted. Otherwise, it is the first unread event's result.
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
    finally:  # even if the client disconnects, so that events in flight are still counted
        await batch.settle()
    await batch.send()
    await batch.settle()
    if ended and not batch.outcome.accepted:
        raise ended
    if ended:
        batch.outcome.add([Result(batch.read, "", ended)])
    return batch.outcome


async def post_document(service: IngestService, events: list[object], sender: Sender, most: int) -> BatchResult:
    """Send the events of a document, which was parsed as a whole. Raises BodyTooLarge if it has more than `most`."""
    if len(events) > most:
        raise too_many(most)
    outcome = BatchResult()
    for first in range(0, len(events), SLICE):
        posted = events[first : first + SLICE]
        if outcome.outage:
            outcome.add(_unsent(len(posted), first, outcome.outage))
            continue
        try:
            outcome.add(await service.send_slice(posted, sender, first))
        except AuditlaneError as error:
            if not outcome.accepted:
                raise
            outcome.add(_unsent(len(events) - first, first, error))
            break
    return outcome


def _unsent(count: int, first: int, error: AuditlaneError) -> Iterator[Result]:
    """Yield the results of `count` events, the first of which has the index `first`, that would fail like others."""
    return (Result(first + place, "", error) for place in range(count))


async def _charged(sending: Coroutine[Any, Any, list[Result]]) -> list[Result]:
    """Charge a request for the time that a separate task spends on the event loop."""
    return await Timed(sending, current().charge)


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
        """Queue values, and send the queue unless a slice is in flight. If the queue is full, that slice is awaited
        first.
        """
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
            self.outcome.add(_unsent(len(posted), first, self.outcome.outage))
        elif posted:
            self._sent = asyncio.create_task(_charged(self._service.send_slice(posted, self._sender, first)))

    async def settle(self) -> None:
        if self._sent:
            sent, self._sent = self._sent, None
            self.outcome.add(await sent)
