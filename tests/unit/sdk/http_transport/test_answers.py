"""Tests what a response means for the events in a request, and how long the client waits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.runtime.errors import (
    AuditlaneError,
    EventTooLarge,
    GatewayUnavailable,
    InvalidEvent,
    RateLimited,
    TokenExpired,
    WrongTenant,
)
from auditlane.sdk.http_transport.answers import (
    LATER,
    LIMITED,
    Again,
    Answer,
    Outcomes,
    Smaller,
    Uncompressed,
    Verdict,
    read,
    retry_after_s,
    wait_s,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IDS = ["a", "b", "c"]
HTML = b"<html>Please sign in</html>"


def verdict(status: int, content: Any = None, *, compressed: bool = True, **headers: str) -> Verdict:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return read(Answer(status, sent, body), IDS, "http://gateway", NOW, compressed=compressed)


def results(*items: dict[str, Any], accepted: int) -> dict[str, Any]:
    listed = [{"index": index, "event_id": IDS[index], **item} for index, item in enumerate(items) if item]
    return {"accepted": accepted, "refused": 3 - accepted, "results": listed, "left_out": 3 - len(listed)}


def problem(code: str, **members: Any) -> dict[str, Any]:
    return {"type": f"urn:auditlane:problem:{code}", "code": code, "detail": "No.", "fix": "Do.", **members}


ACCEPTED = {"status": 202}
INVALID = {"status": 400, "code": "EVENT_INVALID", "detail": "Wrong.", "field": "n", "fix": "Correct it."}


def test_every_event_of_a_202_is_accepted() -> None:
    assert verdict(202, results(ACCEPTED, ACCEPTED | {"spooled": True}, ACCEPTED, accepted=3)) == Outcomes([None] * 3)


def test_a_207_settles_each_event_by_itself() -> None:
    found = verdict(207, results(ACCEPTED, INVALID, {"status": 503, "code": "X"}, accepted=1), retry_after="5")
    assert isinstance(found, Outcomes)
    first, second, third = found.each
    assert (first, third, found.after_s) == (None, LATER, 5)
    assert type(second) is InvalidEvent
    assert (second.message, second.field, second.fix) == ("Wrong.", "n", "Correct it.")


def test_the_same_results_in_a_problem_settle_the_events() -> None:
    denied = {"status": 403, "code": "TENANT_FORBIDDEN", "detail": "Not yours."}
    found = verdict(403, problem("TENANT_FORBIDDEN", **results(denied, INVALID, {"status": 429}, accepted=0)))
    assert isinstance(found, Outcomes)
    assert [type(one) for one in found.each] == [WrongTenant, InvalidEvent, str]
    assert found.each[2] == LIMITED
    unsent = {"status": 503, "code": "KAFKA_UNAVAILABLE"}
    assert verdict(503, problem("KAFKA_UNAVAILABLE", **results(unsent, unsent, unsent, accepted=0))) == Outcomes(
        [LATER] * 3
    )


def test_events_that_the_gateway_did_not_read_are_sent_again() -> None:
    cut = {"status": 413, "code": "TOO_LARGE", "detail": "The body exceeds 1 bytes."}
    assert verdict(207, results(ACCEPTED, cut, {}, accepted=1)) == Outcomes([None, LATER, LATER])


def test_accepted_events_may_be_left_out_of_the_results() -> None:
    found = verdict(207, results({}, INVALID, {}, accepted=2))
    assert isinstance(found, Outcomes)
    assert [found.each[0], found.each[2]] == [None, None]


def test_a_result_with_another_event_id_settles_nothing() -> None:
    found = verdict(202, results(ACCEPTED, ACCEPTED | {"event_id": "x"}, ACCEPTED, accepted=3))
    assert found == Outcomes([None, LATER, None])


@pytest.mark.parametrize(
    ("status", "content", "kind", "text"),
    [
        (302, HTML, GatewayUnavailable, "redirects to https://login"),
        (200, HTML, GatewayUnavailable, "which is not from a gateway"),
        (202, HTML, GatewayUnavailable, "status 202 and text/html"),
        (204, b"", GatewayUnavailable, "not from a gateway"),
        (202, {"ok": True}, GatewayUnavailable, "not from a gateway"),
        (207, results(ACCEPTED, accepted=1) | {"results": [7]}, GatewayUnavailable, "not from a gateway"),
        (403, problem("FORBIDDEN", fix=""), AuditlaneError, "audits:write"),
        (404, HTML, GatewayUnavailable, "with the role ingest"),
        (405, b"", GatewayUnavailable, "with the role ingest"),
        (500, HTML, GatewayUnavailable, "500"),
        (502, HTML, GatewayUnavailable, "502"),
        (503, problem("BUSY"), AuditlaneError, "No. Do."),
        (429, HTML, RateLimited, "limits the rate"),
        (408, b"", GatewayUnavailable, "408"),
    ],
)
def test_a_response_that_is_not_about_events_keeps_them(
    status: int, content: Any, kind: type[AuditlaneError], text: str
) -> None:
    found = verdict(status, content, content_type="text/html", location="https://login")
    assert isinstance(found, Again)
    assert isinstance(found.problem, kind)
    assert text in str(found.problem)
    assert not found.renew


def test_a_401_asks_for_a_new_token() -> None:
    found = verdict(401, problem("TOKEN_EXPIRED"))
    assert isinstance(found, Again)
    assert (type(found.problem), found.renew) == (TokenExpired, True)
    assert isinstance(verdict(401, HTML), Again)


def test_other_refusals_are_about_the_content() -> None:
    large = verdict(413, HTML)
    assert isinstance(large, Smaller)
    assert (type(large.error), large.certain) == (EventTooLarge, True)
    ours = verdict(400, problem("INPUT_INVALID"))
    assert isinstance(ours, Smaller)
    assert ours.certain
    assert verdict(415, HTML) == Uncompressed()


@pytest.mark.parametrize("status", [400, 403, 406, 415, 422])
def test_a_firewall_may_refuse_a_single_event(status: int) -> None:
    found = verdict(status, HTML, compressed=False)
    assert isinstance(found, Smaller)
    assert not found.certain


@given(st.integers(100, 599), st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_only_the_gateways_own_results_settle_an_event(status: int, content: Any) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    assert not isinstance(read(Answer(status, {}, body), IDS, "http://g", NOW, compressed=True), Outcomes)


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after_s("7", NOW) == 7
    assert retry_after_s("Thu, 01 Jan 2026 00:00:30 GMT", NOW) == 30
    assert retry_after_s("Thu, 01 Jan 2015 00:00:30 GMT", NOW) == 0
    assert retry_after_s("86400", NOW) == 300
    assert [retry_after_s(text, NOW) for text in ("", "soon", "-1", "1.5", "²")] == [None] * 5


@given(st.integers(1, 10_000), st.none() | st.floats(0, 300), st.floats(0, 1))
def test_the_wait_grows_to_a_limit_and_respects_retry_after(
    failures: int, after_s: float | None, chance: float
) -> None:
    found = wait_s(failures, after_s, chance)
    assert 0.1 <= found <= 30 if not after_s else after_s <= found <= 1.2 * after_s + 1e-9
