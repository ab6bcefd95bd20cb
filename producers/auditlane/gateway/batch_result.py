"""What became of one request's events, in bounded memory: the counts, and the results that the answer can hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from auditlane.gateway.ingest_service import Result
from auditlane.runtime.errors import AuditlaneError, BufferFull, KafkaUnavailable, RateLimited, Unavailable, http_status

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
