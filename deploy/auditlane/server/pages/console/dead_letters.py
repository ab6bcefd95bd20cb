"""The console's pages of dead letters: list and filter them, open one, replay and close them.

Forms work without scripts. They are accepted from auditlane's own pages only, and every action is recorded under the
operator's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final

from fastapi import APIRouter, Depends, Request, Response

from auditlane.access.audit import Action, Outcome, RequestAuditor, auditor_of
from auditlane.access.scope import Principal
from auditlane.contract.reject_codes import RejectCode
from auditlane.operations.dlq.index import Selection
from auditlane.runtime.errors import InvalidInput
from auditlane.server.admin.letter_desk import MOST, Handled
from auditlane.server.pages.console import frame
from auditlane.server.pages.console.access import Operators
from auditlane.server.pages.console.page_model import section
from auditlane.server.pages.console.problems import LETTERS
from auditlane.server.pages.i18n import N_
from auditlane.server.services import Services

_ID: Final = 200  # characters of a letter's identity, at most
_LONGEST_REASON: Final = 1_000
_EVENT_CHARACTERS: Final = 20_000
_PREVIEW_BYTES: Final = 512
_OF_PRODUCER: Final = N_(
    "Correct the producer, and emit the event again. Then close this dead letter: a replay rejects it."
)
_OF_CONTRACT: Final = N_(
    "Correct the tenant’s contract, and replay; or correct the producer, emit again, and close it."
)
# What to do about each code.
FIXES: Final[Mapping[str, str]] = {
    RejectCode.NOT_FRAMED: _OF_PRODUCER,
    RejectCode.SCHEMA_UNKNOWN: N_(
        "Register the schema under this ID, and replay; or emit the event again, and close it."
    ),
    RejectCode.SCHEMA_NOT_TENANTS: _OF_CONTRACT,
    RejectCode.AVRO_MALFORMED: _OF_PRODUCER,
    RejectCode.KEY_MISSING: _OF_PRODUCER,
    RejectCode.TENANT_MISMATCH: _OF_PRODUCER,
    RejectCode.TENANT_INVALID: _OF_PRODUCER,
    RejectCode.EVENT_ID_INVALID: _OF_PRODUCER,
    RejectCode.OCCURRED_AT_OUT_OF_RANGE: N_("Correct the producer’s clock, and emit the event again. Then close it."),
    RejectCode.ACTION_EMPTY: _OF_PRODUCER,
    RejectCode.IP_INVALID: _OF_PRODUCER,
    RejectCode.SOURCE_RESERVED: N_(
        "Use another name for the source, emit the event again, and close this dead letter."
    ),
    RejectCode.FIELD_RULE: _OF_CONTRACT,
    RejectCode.TOO_LARGE: N_("Shorten the event, or raise AUDITLANE_MAX_EVENT_BYTES, and replay."),
    RejectCode.NOT_JUDGED: N_("Update auditlane, and replay. The worker’s log has the cause."),
}


async def letters(request: Request, services: Services, operator: Principal) -> Response:
    """Serve the list. Dead letters are filtered by `code`, `tenant` and `state`."""
    selection, given = _filter_of(request)
    number = frame.number_of(request, "page")
    found = await section(partial(services.operations.desk.page, selection, number))
    return frame.rendered(request, "console_letters.html", operator, found=found, given=given, most=MOST)


async def letter(request: Request, services: Services, operator: Principal) -> Response:
    """Serve one dead letter, with its event, its headers, and the result that a replay would have."""
    identity = request.query_params.get("id", "")
    opened = await services.operations.desk.open(_identity(identity))
    document = opened.document
    event = json.dumps(document["event"], indent=2, ensure_ascii=False, default=str) if document["event"] else ""
    preview = (opened.value or b"")[:_PREVIEW_BYTES]
    return frame.rendered(
        request,
        "console_letter.html",
        operator,
        letter=document,
        opened=opened,
        identity=identity,
        event=event[:_EVENT_CHARACTERS],
        cut=len(event) > _EVENT_CHARACTERS,
        preview=preview.hex(" "),
        preview_bytes=len(preview),
        fix=FIXES.get(document["code"], ""),
    )


async def replay(request: Request, services: Services, operator: Principal) -> Response:
    """Replay the submitted dead letters."""
    selection, _, back = await _chosen(request)
    auditor, topic = auditor_of(request), services.settings.dead_letter_topic
    handled = await services.operations.desk.replay(selection, partial(record_replay, auditor, topic))
    return frame.rendered(request, "console_handled.html", operator, handled=handled, closing=False, back=back)


async def close(request: Request, services: Services, operator: Principal) -> Response:
    """Close the submitted dead letters without sending them."""
    selection, reason, back = await _chosen(request)
    auditor, topic = auditor_of(request), services.settings.dead_letter_topic
    record = partial(record_closing, auditor, topic, reason)
    handled = await services.operations.desk.close(selection, reason, record)
    return frame.rendered(request, "console_handled.html", operator, handled=handled, closing=True, back=back)


def record_replay(auditor: RequestAuditor, topic: str, handled: Handled) -> None:
    """Record a replay in each tenant's log."""
    now = datetime.now(UTC).isoformat()
    _record(auditor, handled, Action.events_replayed, resource="log", older_than=now, topic=topic)


def record_closing(auditor: RequestAuditor, topic: str, reason: str, handled: Handled) -> None:
    """Record that dead letters were closed, in each tenant's log."""
    _record(auditor, handled, Action.letters_closed, resource="dead_letter", reason=reason, topic=topic)


def _record(auditor: RequestAuditor, handled: Handled, action: Action, *, resource: str, **metadata: str) -> None:
    """Record an action in each tenant's log. An action on no dead letter is recorded as a failure, and only in
    `_auditlane`.
    """
    tenants: Mapping[str | None, int] = handled.tenants or {None: 0}
    for tenant, rows in tenants.items():
        outcome: Outcome = "success" if handled.complete and rows else "failure"
        auditor.record(action, tenant=tenant, outcome=outcome, resource=resource, rows=rows, **metadata)


def build(services: Services) -> APIRouter:
    """Return the routes of the pages and of their forms."""
    router = APIRouter(include_in_schema=False)
    operator = [Depends(Operators(services.authenticator).any_principal())]
    router.get(LETTERS)(frame.page(letters))
    router.get(f"{LETTERS}/letter")(frame.page(letter))
    router.post(f"{LETTERS}/replay", dependencies=operator)(frame.page(replay))
    router.post(f"{LETTERS}/close", dependencies=operator)(frame.page(close))
    return router


def _filter_of(request: Request) -> tuple[Selection, dict[str, str]]:
    given = {name: request.query_params.get(name, "").strip() for name in ("code", "tenant", "state")}
    return selection_of(given["code"], given["tenant"], resolved=given["state"] == "all"), given


async def _chosen(request: Request) -> tuple[Selection, str, dict[str, str]]:
    """Return the dead letters that a form submits, the reason, and the filter of the page to return to."""
    form = await frame.form_of(request)
    back = {name: form.get(name, [""])[0] for name in ("code", "tenant")}
    reason = form.get("reason", [""])[0].strip()
    if len(reason) > _LONGEST_REASON:
        raise InvalidInput(f"The reason has more than {_LONGEST_REASON} characters.", field="reason")
    if form.get("every"):
        return selection_of(back["code"], back["tenant"]), reason, back
    names = [_identity(identity) for identity in form.get("id", [])[:MOST]]
    if not names:
        raise InvalidInput("No dead letters are selected.", field="id", fix="Select at least one.")
    return Selection(names=tuple(names)), reason, back


def selection_of(code: str, tenant: str, *, resolved: bool = False) -> Selection:
    """Return the selection for the given filter values, which may be empty. Raises InvalidInput for an unknown code."""
    if code and code not in RejectCode.__members__:
        raise InvalidInput("The parameter 'code' is not a reject code.", field="code")
    return Selection((tenant,) if tenant else (), (code,) if code else (), resolved=resolved)


def _identity(text: str) -> str:
    topic_id, _, rest = text.partition(":")
    if not topic_id or len(text) > _ID or not all(part.isdigit() for part in rest.split(":")) or rest.count(":") != 1:
        raise InvalidInput("The parameter 'id' does not name a dead letter.", field="id")
    return text
