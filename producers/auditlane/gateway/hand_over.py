"""Checks the events of a slice and hands them to the client, in their order.

Most events are encoded in one pass and sent together. The others are checked by the model, which describes what is
wrong with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from auditlane.contract.event import AuditEvent
from auditlane.contract.provenance import Sign
from auditlane.gateway.kafka import AckWaiter
from auditlane.gateway.sender import Sender, filled, keywords_of
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.log import get
from auditlane.sdk import AuditClient
from auditlane.sdk.schema_resolver import SchemaMayBeStale
from auditlane.sdk.transport import Encoded

REQUEST_ID: Final = "auditlane.request.id"  # name of the Kafka header
Signer = Callable[[str, Sequence[str]], Sign]  # (client id, filled fields) -> signer for the client's messages
# (posted event, its tenant or "" if the event is invalid regardless of a contract, the error)
OnRefused = Callable[[object, str, AuditlaneError], None]


class HandOver:
    """Hands over one slice's events. Each is settled here or by the client's thread. Use it from one thread at a time.

    `ids` has the event id of each event that has one.
    """

    def __init__(
        self,
        client: AuditClient,
        posted: Sequence[object],
        sender: Sender,
        first: int,
        waiter: AckWaiter,
        signer: Signer | None,
        on_refused: OnRefused,
    ) -> None:
        """Store the events. `first` is the first event's index in the request."""
        self.ids = [""] * len(posted)
        self._client = client
        self._posted = posted
        self._sender = sender
        self._first = first
        self._waiter = waiter
        self._signer = signer
        self._on_refused = on_refused
        self._headers = {REQUEST_ID: sender.request_id} if sender.request_id else None
        self._signs: dict[tuple[str, ...], Sign | None] = {}
        self._places: list[int] = []  # of the events in `_batch`
        self._batch: list[tuple[Encoded, Sign | None]] = []

    def run(self, stale: list[int] | None, places: Sequence[int] | None = None) -> None:
        """Check and send the events at `places`, or all events. An event that a possibly stale contract rejects is not
        settled: its place is added to `stale`.

        If `stale` is None, the registry is queried instead.
        """
        ids, batch = self.ids, self._batch
        posted = self._posted if places is None else [self._posted[place] for place in places]
        places = range(len(posted)) if places is None else places
        for place, value, encoded in zip(places, posted, self._encoded(posted), strict=True):
            try:
                if encoded is None:
                    self._hand_over(place, value, may_ask=stale is None)
                else:
                    ids[place] = encoded[1]
                    sign = self._sign(value)
                    self._places.append(place)
                    batch.append((encoded, sign))
            except SchemaMayBeStale:
                if stale is not None:
                    stale.append(place)
            except AuditlaneError as error:
                self._on_refused(value, "", error)
                self._waiter.settle(place, error)
            except Exception:  # an error in one event must not leave the others unsettled
                self._settle_unforeseen([place])
        self._send()

    def _encoded(self, posted: Sequence[object]) -> Iterable[Encoded | None]:
        """Encode most events, one after the other. The others need the complete checks."""
        sender = self._sender
        if sender.idempotency_key:  # the ids are derived from it
            return [None] * len(posted)
        return self._client.encode_all(posted, sender.defaults())

    def _hand_over(self, place: int, value: object, *, may_ask: bool) -> None:
        """Check an event that was not encoded with the others, and send it."""
        if isinstance(value, AuditlaneError):
            raise value
        values = keywords_of(value, self._sender, self._first + place)
        encoded = self._client.encoded(values)
        if encoded is not None:
            self.ids[place] = encoded[1]
            sign = self._sign(value)
            self._places.append(place)
            self._batch.append((encoded, sign))
            return
        event = AuditEvent.checked(values)
        self.ids[place] = event.event_id
        sign = self._sign(value)
        self._send()  # the events before it
        settle, spooled = partial(self._waiter.settle, place), partial(self._waiter.spooled, place)
        try:
            self._client.send(event, settle, self._headers, may_ask=may_ask, sign=sign, on_spooled=spooled)
        except SchemaMayBeStale:
            raise
        except AuditlaneError as error:
            self._on_refused(value, event.tenant_id, error)
            self._waiter.settle(place, error)

    def _sign(self, value: object) -> Sign | None:
        if self._signer is None:
            return None
        fields = filled(value, self._sender)
        if (sign := self._signs.get(fields)) is None:
            sign = self._signs[fields] = self._signer(self._sender.provenance_id, fields)
        return sign

    def _send(self) -> None:
        if not self._batch:
            return
        places, self._places = self._places, []
        try:
            self._client.send_all(self._batch, _Places(self._waiter, places), self._headers)
        except Exception:
            self._settle_unforeseen(places)
        self._batch.clear()

    def _settle_unforeseen(self, places: Sequence[int]) -> None:
        get("ingest").exception("ingest.unforeseen", request_id=self._sender.request_id)
        for place in places:
            self._waiter.settle(place, AuditlaneError("Something went wrong on our side."))


class _Places:
    """Passes the outcomes of a batch on to the waiter, by their places in the slice."""

    def __init__(self, waiter: AckWaiter, places: Sequence[int]) -> None:
        self._waiter = waiter
        self._places = places

    def acknowledged(self, indexes: Sequence[int]) -> None:
        self._waiter.acknowledged([self._places[index] for index in indexes])

    def settle(self, index: int, error: AuditlaneError | None) -> None:
        self._waiter.settle(self._places[index], error)

    def spooled(self, index: int) -> None:
        self._waiter.spooled(self._places[index])
