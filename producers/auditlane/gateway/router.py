"""The routes: `POST /v1/events` takes events, `POST /v1/test-event` sends one to see that it arrives."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from auditlane.access.audit import Action, auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal, TenantScope
from auditlane.contract.event import BASE_FIELDS
from auditlane.contract.event_json import values_of
from auditlane.gateway import body, models
from auditlane.gateway.ingest_service import IngestService
from auditlane.gateway.rate import Rates
from auditlane.gateway.request_batch import BatchResult, ParsedEvents, answer, post, too_many
from auditlane.gateway.sender import Sender
from auditlane.runtime.errors import AuditlaneError, InvalidEvent, InvalidInput, RateLimited
from auditlane.runtime.settings import Settings

PATH: Final = "/v1/events"
RETRY_AFTER_S: Final = 5
_JSON_FACTOR: Final = 4  # a line of JSON may have so many times the bytes of its Avro datum, for escapes
_SLICES_BYTES: Final = 4 << 20  # what a request of NDJSON holds: the slice on its way, the next, a line
Named = Callable[[Request], str | None]
# The answer to an error, with further members.
Refuse = Callable[[Request, AuditlaneError, dict[str, Any]], Response]


class Authenticator(Protocol):
    """The dependencies that authenticate a request; each may raise what the app answers."""

    def authorize(self, permission: Permission) -> Callable[..., Any]: ...
    def client(self, permission: Permission) -> Callable[..., Any]: ...


def build(
    service: IngestService, settings: Settings, authenticator: Authenticator, *, named: Named, refuse: Refuse
) -> APIRouter:
    """The routes under `/v1`. `named` reads the header that names a tenant.

    Errors are raised as AuditlaneError; the app that mounts this turns them into answers. `refuse` makes the answer
    here, where it tells of every event.
    """
    router = APIRouter(prefix="/v1", tags=["ingest"])
    sends, configures = (
        Depends(authenticator.client(Permission.write)),
        Depends(authenticator.authorize(Permission.configure)),
    )
    # By tenant: whoever may not write events must not fill its log with these.
    tests = Rates(settings.test_events_per_minute / 60, settings.test_events_per_minute)

    @router.post("/events", **models.EVENTS)
    async def post_events(
        request: Request,
        principal: Principal = sends,
        _tenant: models.Tenant = None,
        idempotency_key: models.IdempotencyKey = None,
    ) -> Response:
        """One event, an array, or NDJSON; also with `Content-Encoding: gzip` or `zstd`. The answer comes when Kafka has
        acknowledged what it accepts.

        `202`: every event is accepted. `207`: some are; `results` says which are not. Any other status: none is.
        To send a request again after 503 or a lost connection is harmless when its events have an `event_id`, or the
        request has an `Idempotency-Key`; both ask for `occurred_at` in every event.
        """
        sender = Sender.of(
            principal, named(request), request_id=request.state.request_id, idempotency_key=idempotency_key or ""
        )
        headers = request.headers
        lines = body.is_lines(headers.get("content-type", ""))
        coding = body.coding_of(",".join(headers.getlist("content-encoding")))
        service.check_rate(sender)
        most = settings.ingest_body_bytes if lines else min(settings.ingest_document_bytes, settings.ingest_body_bytes)
        held = min(_SLICES_BYTES, most) if lines else most
        with service.reserve_bytes(0, sender) as count:  # what has not arrived takes nobody's room
            pieces = body.bounded(request.stream(), most)
            if coding:
                pieces = body.bounded(body.decoded(pieces, coding, count), most, "The decompressed body")
            arriving = _arriving(body.counted(pieces, count, held), settings, lines=lines)
            tally = await post(service, arriving, sender, settings.ingest_request_events)
        return _answer(request, tally, refuse)

    @router.post("/test-event", **models.TEST_EVENT)
    async def post_test_event(
        request: Request, scope: TenantScope = configures, own: models.OwnFields = None
    ) -> models.TestEvent:
        """Sends one event to the tenant's log and answers when Kafka has it. It is stored a moment later.

        The event says who sent it, and is the same whoever does: only the tenant's own fields can be given values.
        """
        sender, auditor = Sender.of_test(scope, request_id=request.state.request_id), auditor_of(request)
        event, now = sample_event(scope.actor, auditor.actor_type, own or {}), time.monotonic()
        if wait_s := tests.wait_s(scope.tenant, now):
            raise RateLimited(
                "So many test events of one tenant are enough.",
                fix="Wait as long as Retry-After says; POST /v1/events takes events with audits:write.",
                retry_after_s=wait_s,
            )
        tests.charge(scope.tenant, 1, now)
        [result] = await service.send([event], sender)
        sent: dict[str, Any] = {"resource": "test_event", "resource_id": result.event_id or None}
        if result.error:
            if isinstance(result.error, InvalidEvent):  # nothing was sent
                tests.charge(scope.tenant, -1, now)
            else:  # it may have been
                auditor.record(Action.test_event_sent, outcome="failure", **sent, code=result.error.code)
            raise result.error
        auditor.record(Action.test_event_sent, **sent)
        return models.TestEvent(event_id=result.event_id, tenant_id=scope.tenant)

    return router


async def _arriving(pieces: AsyncIterator[bytes], settings: Settings, *, lines: bool) -> AsyncIterator[ParsedEvents]:
    if lines:
        async for arrived in body.values(pieces, settings.max_event_bytes * _JSON_FACTOR):
            yield arrived
        return
    events = await body.document(pieces)
    if len(events) > settings.ingest_request_events:  # a document is taken or refused as one
        raise too_many(settings.ingest_request_events)
    yield events, 0


def _answer(request: Request, tally: BatchResult, refuse: Refuse) -> Response:
    if not tally.events:
        raise InvalidInput("The request holds no event.", field="body")
    content = answer(tally)
    if not tally.accepted and (error := tally.again or tally.first):
        return refuse(request, error, content)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if tally.again else None
    return JSONResponse(content, HTTPStatus.MULTI_STATUS if tally.refused else HTTPStatus.ACCEPTED, headers)


ACTION: Final = "auditlane.test"
SOURCE: Final = "auditlane-test"


def sample_event(actor_id: str, actor_type: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """As a caller of POST /v1/events would post it, now, with a new id.

    `given` may hold the tenant's own fields, so that its contract can be met; which ones there are is for the contract
    to say. Raises InvalidEvent that names a field of every event: who sends a test event writes no record of their own.
    """
    own: dict[str, Any] = values_of({"fields": {}, **given}).get("fields", {})
    for name in (*given, *own):
        if name in BASE_FIELDS:
            raise InvalidEvent(
                f"{name} is set for a test event, and cannot be chosen.",
                field=name,
                fix="Send only the tenant's own fields, or nothing. POST /v1/events takes events with audits:write.",
            )
    return {
        "action": ACTION,
        "actor_id": actor_id,
        "actor_type": actor_type,
        "outcome": "success",
        "resource": "audit_log",
        "description": "A test event: it shows that events arrive.",
        "source": SOURCE,
        "fields": own,
    }
