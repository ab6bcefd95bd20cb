"""Tests the client against misbehaving gateways and proxies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.authority import authority
from fixtures.tls import Terminator
from fixtures.workers import wait_until
from scripted_gateway import Reply, Request, ScriptedGateway, accepted, problem, settled

from auditlane.runtime.errors import (
    AuditlaneError,
    ConfigError,
    EventTooLarge,
    GatewayUnavailable,
    InvalidEvent,
    InvalidInput,
    RateLimited,
    Unauthenticated,
)
from auditlane.sdk import AuditClient, AuditEvent, ClientConfig

HTML = b"<html>Please sign in</html>"


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    with ScriptedGateway() as started:
        yield started


class Errors:
    """The errors that a client reported."""

    def __init__(self) -> None:
        self.found: list[tuple[AuditlaneError, str | None]] = []

    def __call__(self, error: AuditlaneError, event_id: str | None) -> None:
        self.found.append((error, event_id))


def client_of(gateway: ScriptedGateway, **options: Any) -> AuditClient:
    return AuditClient(**{"url": gateway.url, "token": "t", "on_error": Errors()} | options)


def times(count: int, reply: Reply | Callable[[Request], Reply], then: Callable[[Request], Reply] = accepted) -> Any:
    """Return a rule that gives this reply to the first `count` requests, and then follows `then`."""
    left = [None] * count

    def rule(request: Request) -> Reply:
        if left:
            left.pop()
            return reply(request) if callable(reply) else reply
        return then(request)

    return rule


def emitted(client: AuditClient, count: int, **values: Any) -> list[str]:
    return [client.emit(tenant_id="acme", action=f"a{number}", **values) for number in range(count)]


def test_a_request_has_ids_times_a_token_and_is_compressed(gateway: ScriptedGateway) -> None:
    with client_of(gateway) as client:
        ids = emitted(client, 200)
        assert client.flush(30).delivered == 200
    assert gateway.stored == ids
    headers = gateway.requests[-1].headers
    assert (headers["authorization"], headers["content-encoding"]) == ("Bearer t", "gzip")
    assert all(event["occurred_at"].endswith("Z") for request in gateway.requests for event in request.events)
    assert {request.path for request in gateway.requests} == {"/v1/events"}


@pytest.mark.parametrize(
    ("reply", "error", "text"),
    [
        (
            (307, HTML, {"location": "https://elsewhere/v1/events"}),
            GatewayUnavailable,
            "redirects to https://elsewhere",
        ),
        ((200, HTML, {}), GatewayUnavailable, "status 200 and text/html, which is not from a gateway"),
        ((202, HTML, {}), GatewayUnavailable, "status 202 and text/html, which is not from a gateway"),
        ((404, HTML, {}), GatewayUnavailable, "with the role ingest"),
        ((502, HTML, {}), GatewayUnavailable, "status 502"),
        (problem(503, "KAFKA_UNAVAILABLE"), AuditlaneError, "No."),
        (problem(403, "FORBIDDEN"), AuditlaneError, "audits:write"),
        ((403, HTML, {}), GatewayUnavailable, "status 403"),
        (problem(401, "UNAUTHENTICATED"), Unauthenticated, "credential of AUDITLANE_URL"),
        ((429, HTML, {"retry-after": "0"}), RateLimited, "limits the rate"),
        (None, GatewayUnavailable, "is not reachable"),
    ],
)
def test_events_wait_while_the_gateway_does_not_accept_them(
    gateway: ScriptedGateway, reply: Reply, error: type[AuditlaneError], text: str
) -> None:
    gateway.rule = lambda _: reply
    errors = Errors()
    with client_of(gateway, on_error=errors) as client:
        ids = emitted(client, 3)
        wait_until(lambda: errors.found)
        found, event_id = errors.found[0]
        assert event_id is None
        assert isinstance(found, error)
        assert text in str(found)
        result = client.flush(0)
        assert (result.pending, result.failed_count) == (3, 0)
        assert isinstance(result.problem, error)
        gateway.rule = accepted
        wait_until(lambda: client.flush(1))
    assert gateway.stored == ids


def test_a_redirect_is_not_followed(gateway: ScriptedGateway) -> None:
    with ScriptedGateway() as elsewhere:
        gateway.rule = lambda _: (307, b"", {"location": f"{elsewhere.url}/v1/events"})
        client = client_of(gateway, client_id="c", secret="s", token=None)
        emitted(client, 1)
        wait_until(lambda: len(gateway.requests) > 2)
        client.close(0)
        assert elsewhere.requests == []


def test_a_lost_response_repeats_the_same_events(gateway: ScriptedGateway) -> None:
    first: list[Request] = []

    def lost(request: Request) -> Reply:
        first.append(request)
        return None

    gateway.rule = times(1, lost)
    with client_of(gateway) as client:
        ids = emitted(client, 1)
        assert client.flush(30)
    assert gateway.stored == ids
    assert gateway.requests[-1].events == first[0].events


def test_partial_results_retry_only_what_may_succeed(gateway: ScriptedGateway) -> None:
    def partial(request: Request) -> Reply:
        by_action = {"bad": 400, "late": 503, "behind the late one": 503}
        return settled(request, [by_action.get(action, 202) for action in request.actions], retry_after="0")

    held: list[Request] = []

    def first(request: Request) -> Reply:
        held.append(request)
        return None  # the next request contains all events

    gateway.rule = times(1, first, partial)
    client = client_of(gateway)
    names = ("before", "bad", "late", "after")
    ids = {name: client.emit(tenant_id="late" if name == "late" else "acme", action=name) for name in names}
    other = client.emit(tenant_id="late", action="behind the late one")
    wait_until(lambda: client.stats.delivered == 2)
    assert client.stats.failed == 1
    assert gateway.stored == [ids["before"], ids["after"]]
    gateway.rule = accepted
    result = client.flush(30)
    assert [(one.event_id, type(one.error)) for one in result.failed] == [(ids["bad"], InvalidEvent)]
    assert gateway.stored == [ids["before"], ids["after"], ids["late"], other]
    client.close()


def test_a_tenant_that_is_limited_does_not_block_the_others(gateway: ScriptedGateway) -> None:
    def limited(request: Request) -> Reply:
        statuses = [429 if event["tenant_id"] == "busy" else 202 for event in request.events]
        return settled(request, statuses, retry_after="60")

    gateway.rule = limited
    client = client_of(gateway)
    busy = client.emit(tenant_id="busy", action="a")
    wait_until(lambda: type(client.flush(0).problem) is RateLimited)
    ids = emitted(client, 5)
    wait_until(lambda: gateway.stored == ids)
    wait_until(lambda: client.stats.delivered == 5)  # the client has read the response
    client.emit(tenant_id="busy", action="waits behind the first")
    assert client.close(0).failed_count == 2
    assert busy not in gateway.stored


def test_a_request_that_is_too_large_is_split_until_only_the_large_event_fails(gateway: ScriptedGateway) -> None:
    def small(request: Request) -> Reply:
        large = len(request.events) > 4 or any(event.get("description") for event in request.events)
        return (413, HTML, {}) if large else accepted(request)

    gateway.rule = times(1, None, small)  # so that the second request has all events
    client = client_of(gateway)
    ids = emitted(client, 20)
    large = client.emit(tenant_id="acme", action="large", description="x" * 100)
    ids += emitted(client, 20)
    result = client.flush(60)
    assert [(one.event_id, type(one.error)) for one in result.failed] == [(large, EventTooLarge)]
    assert gateway.stored == ids
    client.close()


def test_an_event_that_a_firewall_refuses_does_not_block_the_others(gateway: ScriptedGateway) -> None:
    def firewall(request: Request) -> Reply:
        return (403, HTML, {}) if "<script>" in request.actions else accepted(request)

    gateway.rule = firewall
    client = client_of(gateway)
    bad = client.emit(tenant_id="a", action="<script>")
    ids = [client.emit(tenant_id="b", action="fine")]
    wait_until(lambda: gateway.stored == ids)
    while not client.stats.failed:  # it counts as rejected only while others are accepted
        ids.append(client.emit(tenant_id="b", action="fine"))
        wait_until(lambda: gateway.stored == ids or client.stats.failed)
    result = client.flush(30)
    assert [one.event_id for one in result.failed] == [bad]
    assert gateway.stored == ids
    client.close()


def test_a_gateway_that_takes_no_compression_gets_none(gateway: ScriptedGateway) -> None:
    gateway.rule = lambda request: (415, HTML, {}) if "content-encoding" in request.headers else accepted(request)
    with client_of(gateway) as client:
        ids = emitted(client, 50)
        assert client.flush(30)
    assert gateway.stored == ids


def test_a_rejected_token_is_renewed(gateway: ScriptedGateway, tmp_path: Path) -> None:
    """The gateway accepts only the token `new`. The client id and secret are exchanged first for `old`, and then for
    `new`.
    """
    bought = ["new", "old"]
    secrets: list[Any] = []

    def rule(request: Request) -> Reply:
        if request.path == "/v1/token":
            secrets.append(request.body)
            return 200, {"access_token": bought.pop(), "expires_in": 60}, {}
        fine = request.headers["authorization"] == "Bearer new"
        return accepted(request) if fine else problem(401, "TOKEN_EXPIRED")

    gateway.rule = rule
    (tmp_path / "token").write_text("old\n")
    (tmp_path / "secret").write_text("hush\n")
    tokens = iter(("old", "new"))
    for options in (
        {"token": lambda: next(tokens)},
        {"token": None, "client_id": "c", "secret_file": str(tmp_path / "secret")},
        {"token": None, "token_file": str(tmp_path / "token")},
    ):
        with client_of(gateway, **options) as client:
            emitted(client, 1)
            if "token_file" in options:
                wait_until(lambda: client.flush(0).problem)
                (tmp_path / "token").write_text("new")
            wait_until(lambda: client.flush(1))
    assert len(gateway.stored) == 3
    assert secrets == [b'{"client_id": "c", "secret": "hush"}'] * 2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"token": lambda: 1 / 0}, "ZeroDivisionError"),
        ({"token": lambda: "line\nbreak"}, "an invalid token"),
        ({"token": None, "token_file": "/nonexistent/token"}, "/nonexistent/token"),
        ({"token": None, "client_id": "c", "secret": "s"}, "which is not from a gateway"),
    ],
)
def test_a_token_that_cannot_be_obtained_is_reported_and_tried_again(
    gateway: ScriptedGateway, options: dict[str, Any], text: str
) -> None:
    gateway.rule = lambda _: (200, HTML, {})
    errors = Errors()
    client = client_of(gateway, on_error=errors, **options)
    emitted(client, 1)
    wait_until(lambda: errors.found)
    assert text in str(errors.found[0][0])
    assert client.close(0).failed_count == 1


def test_a_spool_keeps_events_of_a_rejected_credential(gateway: ScriptedGateway, tmp_path: Path) -> None:
    gateway.rule = lambda _: problem(401, "UNAUTHENTICATED")
    options = {"delivery_mode": "durable", "spool_dir": str(tmp_path), "delivery_timeout_ms": 300}
    client = client_of(gateway, **options)
    ids = emitted(client, 5)
    wait_until(lambda: len(gateway.requests) > 3)
    assert client.close(0).spooled == 5
    gateway.rule = accepted
    with client_of(gateway, **options) as client:
        wait_until(lambda: list(dict.fromkeys(gateway.stored)) == ids)


def test_only_the_trusted_authority_gets_the_credential(gateway: ScriptedGateway, tmp_path: Path) -> None:
    made, other = (authority(tmp_path / name, "127.0.0.1") for name in ("ours", "other"))
    with Terminator(made, gateway.url) as tls:
        errors = Errors()
        client = client_of(gateway, url=tls.url, url_ca=str(other.ca), on_error=errors)
        emitted(client, 1)
        wait_until(lambda: errors.found)
        assert "certificate" in str(errors.found[0][0])
        client.close(0)
        assert gateway.requests == []
        with client_of(gateway, url=tls.url, url_ca=str(made.ca)) as client:
            ids = emitted(client, 1)
            assert client.flush(30)
        assert gateway.stored == ids


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"url": "kafka://broker:9092", "token": "t"}, "AUDITLANE_URL: must begin with https"),
        ({"url": "gateway:8080", "token": "t"}, "For Kafka, set AUDITLANE_KAFKA_BOOTSTRAP"),
        ({"url": "https://user:pass@gateway", "token": "t"}, "must not contain a user"),
        ({"url": "https://gateway?x=1", "token": "t"}, "must not contain '?'"),
        ({"url": "http://audit.example.com", "token": "t"}, "without encryption"),
        ({"url": "https://gateway"}, "needs a credential"),
        ({"url": "https://gateway", "client_id": "c"}, "AUDITLANE_SECRET: is not set"),
        ({"url": "https://gateway", "token": "two words"}, "AUDITLANE_TOKEN: must be a token"),
        ({"url": "https://gateway", "token": "t", "allow_http": "maybe"}, "AUDITLANE_ALLOW_HTTP: must be true"),
        ({"url": "https://gateway", "token": "t", "url_ca": "/nonexistent"}, "AUDITLANE_URL_CA"),
        ({}, "AUDITLANE_KAFKA_BOOTSTRAP: is not set"),
    ],
)
def test_options_that_cannot_work_are_named(options: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ClientConfig.load({}, **options)
    assert text in str(caught.value)
    assert "user:pass" not in str(caught.value)


def test_the_options_of_a_gateway() -> None:
    environ = {"AUDITLANE_URL": "https://gateway/audit/", "AUDITLANE_CLIENT_ID": "c", "AUDITLANE_SECRET": "hush"}
    config = ClientConfig.load(environ)
    assert (config.url, config.client_id, config.kafka_bootstrap) == ("https://gateway/audit", "c", "")
    assert "hush" not in repr(config)
    kafka = {"kafka_bootstrap": "b:1", "registry_url": "http://r"}
    assert ClientConfig.load(environ, **kafka).url == "", "options in code take precedence over the environment"
    both = {"AUDITLANE_KAFKA_BOOTSTRAP": "b:1", "AUDITLANE_REGISTRY_URL": "http://r"}
    assert ClientConfig.load(environ | both).url == "https://gateway/audit"
    assert ClientConfig.load({}, url="http://gateway", token="t", allow_http="true").url == "http://gateway"
    assert ClientConfig.load({}, url="http://127.0.0.1:8080", token="t").url == "http://127.0.0.1:8080"


def test_what_only_kafka_can_do_is_refused(gateway: ScriptedGateway) -> None:
    with client_of(gateway) as client:
        with pytest.raises(ConfigError, match="only for Kafka"):
            client.prepare(tenant_id="acme", action="a")
        with pytest.raises(InvalidInput, match="Kafka headers"):
            client.send(AuditEvent(tenant_id="acme", action="a"), headers={"x": "y"})
        assert client.own_fields("acme") == frozenset()
