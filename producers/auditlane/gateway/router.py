"""The gateway's routes: `POST /v1/events` accepts events, and `POST /v1/test-event` sends one event to verify the
setup.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol

from fastapi import APIRouter, Depends, Request, Response

from auditlane.access.audit import Action, auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal, TenantScope
from auditlane.contract.event import BASE_FIELDS
from auditlane.contract.event_json import values_of
from auditlane.gateway import body, models
from auditlane.gateway.ingest_service import IngestService
from auditlane.gateway.rate import Rates
from auditlane.gateway.request_batch import BatchResult, answer, post, post_document, rendered
from auditlane.gateway.sender import Sender
from auditlane.runtime.errors import AuditlaneError, InvalidEvent, InvalidInput, RateLimited
from auditlane.runtime.settings import Settings

PATH: Final = "/v1/events"
RETRY_AFTER_S: Final = 5
_JSON_FACTOR: Final = 4  # maximum ratio of a JSON line's size to its Avro datum's, because of escapes
_SLICES_BYTES: Final = 4 << 20  # memory for an NDJSON request: the slice in flight, the next one, and a line
Named = Callable[[Request], str | None]
# Returns the response for an error, extended by the given members.
Refuse = Callable[[Request, AuditlaneError, dict[str, Any]], Response]


class Authenticator(Protocol):
    """Provides FastAPI dependencies that authenticate a request. They raise AuditlaneError."""

    def authorize(self, permission: Permission) -> Callable[..., Any]: ...
    def client(self, permission: Permission) -> Callable[..., Any]: ...


def build(
    service: IngestService, settings: Settings, authenticator: Authenticator, *, named: Named, refuse: Refuse
) -> APIRouter:
    """Build the routes under `/v1`. `named` reads the header that names a tenant.

    The routes raise AuditlaneError, which the app turns into responses. `refuse` creates an error response that also
    contains the events' results.
    """
    router, accept = APIRouter(prefix="/v1", tags=["ingest"]), accepting(service, settings, named=named, refuse=refuse)
    sends, configures = (
        Depends(authenticator.client(Permission.write)),
        Depends(authenticator.authorize(Permission.configure)),
    )
    # Per tenant, so that a user without `audits:write` cannot fill the log with test events.
    tests = Rates(settings.test_events_per_minute / 60, settings.test_events_per_minute)

    @router.post("/events", **models.EVENTS)
    async def post_events(
        request: Request,
        principal: Principal = sends,
        _tenant: models.Tenant = None,
        idempotency_key: models.IdempotencyKey = None,
    ) -> Response:
        """Send one event, an array, or NDJSON, optionally with `Content-Encoding: gzip` or `zstd`. The response is sent
        once Kafka has acknowledged the accepted events.

        `202`: all events were accepted. `207`: some were; `results` lists the others. With any other status, none were.
        Sending a request again after a 503 or a lost connection is harmless if its events have an `event_id`, or the
        request an `Idempotency-Key`. Both require `occurred_at` in every event.
        """
        return await accept(request, principal, idempotency_key or "")

    @router.post("/test-event", **models.TEST_EVENT)
    async def post_test_event(
        request: Request, scope: TenantScope = configures, own: models.OwnFields = None
    ) -> models.TestEvent:
        """Send one event to the tenant's log. The response is sent once Kafka has acknowledged the event, which is
        stored a moment later.

        The actor is the caller. Only the tenant's custom fields can be set.
        """
        sender, auditor = Sender.of_test(scope, request_id=request.state.request_id), auditor_of(request)
        event, now = sample_event(scope.actor, auditor.actor_type, own or {}), time.monotonic()
        if wait_s := tests.wait_s(scope.tenant, now):
            raise RateLimited(
                "This tenant has reached its limit of test events per minute.",
                fix="Send it again after Retry-After seconds, or use POST /v1/events, which requires audits:write. "
                "AUDITLANE_TEST_EVENTS_PER_MINUTE is the limit.",
                retry_after_s=wait_s,
            )
        tests.charge(scope.tenant, 1, now)
        [result] = await service.send([event], sender)
        sent: dict[str, Any] = {"resource": "test_event", "resource_id": result.event_id or None}
        if result.error:
            if isinstance(result.error, InvalidEvent):  # the event was not sent
                tests.charge(scope.tenant, -1, now)
            else:  # the event may have been sent
                auditor.record(Action.test_event_sent, outcome="failure", **sent, code=result.error.code)
            raise result.error
        auditor.record(Action.test_event_sent, **sent)
        return models.TestEvent(event_id=result.event_id, tenant_id=scope.tenant)

    return router


def accepting(
    service: IngestService, settings: Settings, *, named: Named, refuse: Refuse
) -> Callable[[Request, Principal, str], Awaitable[Response]]:
    """Return the function that accepts the events of a request from a principal with an Idempotency-Key or "".

    It raises AuditlaneError, and the errors of `Request.stream`. The arguments are those of `build`.
    """

    async def accept(request: Request, principal: Principal, idempotency_key: str) -> Response:
        sender = Sender.of(
            principal, named(request), request_id=request.state.request_id, idempotency_key=idempotency_key
        )
        headers = request.headers
        lines = body.is_lines(headers.get("content-type", ""))
        coding = body.coding_of(",".join(headers.getlist("content-encoding")))
        service.check_rate(sender)
        limit = settings.ingest_body_bytes if lines else min(settings.ingest_document_bytes, settings.ingest_body_bytes)
        held = min(_SLICES_BYTES, limit) if lines else limit
        with service.reserve_bytes(0, sender) as count:  # memory is reserved only as bytes arrive
            pieces = body.bounded(request.stream(), limit)
            if coding:
                pieces = body.bounded(body.decoded(pieces, coding, count), limit, "The decompressed body")
            pieces = body.counted(pieces, count, held)
            if lines:
                arriving = body.values(pieces, settings.max_event_bytes * _JSON_FACTOR)
                outcome = await post(service, arriving, sender, settings.ingest_request_events)
            else:
                outcome = await post_document(
                    service, await body.document(pieces), sender, settings.ingest_request_events
                )
        return _response(request, outcome, refuse)

    return accept


def handler(
    service: IngestService, settings: Settings, authenticator: Authenticator, *, named: Named, refuse: Refuse
) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of `POST /v1/events` for calls without FastAPI. The arguments are those of `build`."""
    accept = accepting(service, settings, named=named, refuse=refuse)
    principal_of = authenticator.client(Permission.write)

    async def handle(request: Request) -> Response:
        return await accept(request, await principal_of(request), request.headers.get("idempotency-key", ""))

    return handle


def _response(request: Request, outcome: BatchResult, refuse: Refuse) -> Response:
    if not outcome.events:
        raise InvalidInput("The request contains no events.", field="body", fix="Send at least one event.")
    if not outcome.accepted and (error := outcome.retryable or outcome.first):
        return refuse(request, error, answer(outcome))
    headers = {"Retry-After": str(RETRY_AFTER_S)} if outcome.retryable else None
    status = HTTPStatus.MULTI_STATUS if outcome.refused else HTTPStatus.ACCEPTED
    return Response(rendered(outcome), status, headers, "application/json")


ACTION: Final = "auditlane.test"
SOURCE: Final = "auditlane-test"


def sample_event(actor_id: str, actor_type: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a test event as `POST /v1/events` accepts it. It has no time and no id, so it gets the current time and a
    new id.

    `given` contains values of custom fields, which the tenant's contract may require. The contract checks their names.
    Raises InvalidEvent for a base field, since a test event must not look like a real one.
    """
    own: dict[str, Any] = values_of({"fields": {}, **given}).get("fields", {})
    for name in (*given, *own):
        if name in BASE_FIELDS:
            raise InvalidEvent(
                f"{name} cannot be set for a test event.",
                field=name,
                fix="Send only custom fields, or none. For other events, use POST /v1/events (with audits:write).",
            )
    return {
        "action": ACTION,
        "actor_id": actor_id,
        "actor_type": actor_type,
        "outcome": "success",
        "resource": "audit_log",
        "description": "A test event, sent to verify that events arrive.",
        "source": SOURCE,
        "fields": own,
    }
