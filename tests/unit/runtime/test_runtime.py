"""Tests settings, the error hierarchy, ids and logging."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from auditlane.runtime import errors, ids, metrics, settings, validators
from auditlane.sdk import ClientConfig


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITLANE_REGISTRY_URL", "registry:8081")
    monkeypatch.setenv("AUDITLANE_SERVE_PORT", "99999")
    monkeypatch.setenv("AUDITLANE_KAFKA_EXTRA", "{not json")
    with pytest.raises(errors.ConfigError) as caught:
        settings.load()
    for name in ("AUDITLANE_REGISTRY_URL", "AUDITLANE_SERVE_PORT", "AUDITLANE_KAFKA_EXTRA"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("observe_expiry_days", "inf"),
        ("observe_expiry_days", "1e10"),
        ("observe_gap_s", "inf"),
        ("security_check_every_h", "1000000000"),
        ("security_client_key_days", "10000000000"),
        ("security_signing_key_days", "10000000000"),
        ("security_provenance_key_days", "10000000000"),
        ("security_certificate_days", "10000000000"),
    ],
)
def test_a_duration_that_no_calendar_has_is_refused(monkeypatch: pytest.MonkeyPatch, field: str, value: str) -> None:
    monkeypatch.setenv(settings.variable(field), value)
    with pytest.raises(errors.ConfigError, match=settings.variable(field)):
        settings.load()


@pytest.mark.parametrize(
    ("field", "account"),
    [
        ("clickhouse_url", "AUDITLANE_CLICKHOUSE_USER and AUDITLANE_CLICKHOUSE_PASSWORD"),
        ("registry_url", "AUDITLANE_REGISTRY_USER and AUDITLANE_REGISTRY_PASSWORD, or AUDITLANE_REGISTRY_TOKEN"),
    ],
)
def test_a_parts_url_has_no_component_that_would_be_ignored(
    monkeypatch: pytest.MonkeyPatch, field: str, account: str
) -> None:
    def loads(url: str) -> str:
        monkeypatch.setenv(settings.variable(field), url)
        return str(getattr(settings.load(), field))

    assert loads("https://ch.example:8443/a/prefix/") == "https://ch.example:8443/a/prefix"
    assert loads("http://[::1]:8123") == "http://[::1]:8123"
    refused = (
        "bob:hunter2@h:1",
        "bob@h",
        "@h",
        ":hunter2@h",
        "h:1/?user=bob&password=hunter2",
        "h?",
        "h/p#hunter2",
        "h#",
        *(f"bob:hunter2{mark}x@h:1" for mark in ("/", "#", "?", " ", "@", "[")),
        "bob/hunter2@h",
    )
    for rest in (*refused, "", "/path", ":8123", "h:0", "h:99999", "h:x", "[::1", "a b"):
        with pytest.raises(errors.ConfigError) as caught:
            loads(f"http://{rest}")
        message = str(caught.value)
        assert settings.variable(field) in message
        assert (account in message) is (rest in refused)
        assert "hunter2" not in message
        if field == "registry_url":
            with pytest.raises(errors.ConfigError, match="AUDITLANE_REGISTRY_URL"):
                ClientConfig.load({"AUDITLANE_REGISTRY_URL": f"http://{rest}", "AUDITLANE_KAFKA_BOOTSTRAP": "h:1"})


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_loopback_hosts_are_recognized(host: str) -> None:
    assert validators.is_loopback(host)
    assert not validators.is_loopback(f"{host}.example")


@pytest.mark.parametrize("url", ["https://app.example/in?a=1", "http://localhost:3000/in", "http://127.0.0.1", ""])
def test_a_sign_in_page_is_https_or_on_this_machine(url: str) -> None:
    assert settings.load(sign_in_url=url).sign_in_url == url


@pytest.mark.parametrize(
    "url",
    [
        *("http://app.example/login", "app.example", "/login", "javascript:alert(1)", "https://", "https://h:x"),
        *("https://me@app.example", "https://app.example/#top", "https://app.example/a b"),
    ],
)
def test_an_invalid_sign_in_page_is_rejected(url: str) -> None:
    with pytest.raises(errors.ConfigError, match="AUDITLANE_SIGN_IN_URL: must"):
        settings.load(sign_in_url=url)


def test_a_secret_is_not_shown_in_an_error_or_a_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITLANE_CLICKHOUSE_PASSWORD", "hunter2")
    assert "hunter2" not in repr(settings.load())
    monkeypatch.setenv("AUDITLANE_SERVE_PORT", "x")
    with pytest.raises(errors.ConfigError) as caught:
        settings.load()
    assert "hunter2" not in str(caught.value)


def test_explicit_values_take_precedence_and_an_empty_variable_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITLANE_TOPIC", "")
    monkeypatch.setenv("AUDITLANE_SERVE_PORT", "9000")
    loaded = settings.load(serve_port=9001, serve_host=None)
    assert (loaded.topic, loaded.serve_port, loaded.serve_host) == ("audit.events", 9001, "127.0.0.1")


def test_librdkafka_options_are_read_from_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITLANE_KAFKA_EXTRA", '{"security.protocol": "SSL"}')
    assert settings.load().kafka_extra == {"security.protocol": "SSL"}


def _problems(**given: object) -> str:
    with pytest.raises(errors.ConfigError) as caught:
        settings.load(**given)
    return caught.value.message


@pytest.mark.parametrize(
    ("topic", "letters"),
    [
        ("audit.events", "audit.events"),
        ("audit.events", "audit.events.dlq"),
        ("audit.events", "audit_events"),
        ("audit", "audit.dead-letters"),
    ],
)
def test_the_dead_letter_topic_is_not_one_that_workers_consume(topic: str, letters: str) -> None:
    message = _problems(topic=topic, dead_letter_topic=letters)
    assert "AUDITLANE_DEAD_LETTER_TOPIC" in message
    assert f"such as {topic}-dead-letters" in message
    assert settings.load(topic=topic, dead_letter_topic=f"{topic}-dead-letters").topic == topic


def test_the_default_dead_letter_topic_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITLANE_TOPIC", "audit")
    assert "AUDITLANE_DEAD_LETTER_TOPIC" in _problems()


def test_names_that_differ_from_the_workers_topics_are_accepted() -> None:
    for letters in ("audit.events-dlq", "audit.eventsdlq", "audit.dlq", "audit_events.dlq"):
        assert settings.load(topic="audit.events", dead_letter_topic=letters).dead_letter_topic == letters


def test_formats_are_checked_together_with_everything_else(tmp_path: Path) -> None:
    message = _problems(
        kafka_bootstrap="a:1,nowhere",
        topic="no topic",
        dead_letter_topic="é",
        registry_url="http://r",
        registry_ca=tmp_path / "no.pem",
        clickhouse_ca=tmp_path,
        consumer_group="",
    )
    for line in (
        "AUDITLANE_KAFKA_BOOTSTRAP: 'nowhere' is not host:port",
        "AUDITLANE_TOPIC: must be letters",
        "AUDITLANE_DEAD_LETTER_TOPIC: must be letters",
        f"AUDITLANE_REGISTRY_CA: {tmp_path / 'no.pem'} is not a file",
        f"AUDITLANE_CLICKHOUSE_CA: {tmp_path} is not a file",
        "AUDITLANE_CONSUMER_GROUP",
    ):
        assert line in message


@pytest.mark.parametrize("value", ["a:1", "a:1, b:65535", "[::1]:9092", "PLAINTEXT://a:9092"])
def test_brokers_may_be_listed_bracketed_or_have_a_protocol(value: str) -> None:
    assert validators.bootstrap(value) == value


@pytest.mark.parametrize("value", ["a", "a:", ":1", "a:0", "a:65536", "a:1,", "a:x", "a:²"])
def test_brokers_without_host_or_port_are_rejected(value: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        validators.bootstrap(value)


@pytest.mark.parametrize("value", ["", ".", "..", "a b", "a/b", "ä", "a" * 149, "a\n"])
def test_a_topic_name_that_kafka_rejects_is_rejected(value: str) -> None:
    with pytest.raises(ValueError, match="must"):
        validators.topic(value)


def _all(error: type[errors.AuditlaneError]) -> list[type[errors.AuditlaneError]]:
    return [error, *(one for child in error.__subclasses__() for one in _all(child))]


def test_each_error_has_its_own_code_and_is_in_the_diagram() -> None:
    found = [one for one in _all(errors.AuditlaneError) if one.__module__ == errors.__name__]
    assert len({one.code for one in found}) == len(found)
    for one in found:
        assert one.__name__ in (errors.__doc__ or "")


def test_an_error_without_its_own_line_is_mapped_like_its_parent() -> None:
    assert errors.http_status(errors.InvalidCursor("x")) == errors.http_status(errors.InvalidInput)
    assert errors.exit_code(errors.StoreUnavailable("x")) == 6


def test_metric_names_are_unique_and_of_prometheus_form() -> None:
    assert len(metrics.BY_NAME) == len(metrics.METRICS)
    for one in metrics.METRICS:
        assert one.name.startswith(("auditlane_", "process_"))
        assert one.name.endswith("_total") == (one.kind == "counter")


def test_uuid7_is_a_version_7_uuid_and_grows_across_threads() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: ids.uuid7(), range(5_000)))
    assert len(set(made)) == len(made)
    assert all(uuid.UUID(one).version == 7 and one == one.lower() for one in made)
    alone = [ids.uuid7() for _ in range(5_000)]
    assert alone == sorted(alone)


def test_ids_created_in_batches_are_like_those_of_uuid7() -> None:
    with ThreadPoolExecutor(4) as pool:
        batches = [*pool.map(lambda _: [*islice(ids.uuid7s(), 3 * ids.BATCH)], range(200))]
    made = [ids.uuid7(), *(one for batch in batches for one in batch)]
    assert len(set(made)) == len(made)
    assert all(batch == sorted(batch) for batch in batches)
    for one in made:
        assert str(uuid.UUID(one)) == one
        assert (uuid.UUID(one).version, uuid.UUID(one).variant) == (7, uuid.RFC_4122)
    assert max(made) < ids.uuid7()


@pytest.mark.parametrize("new_id", [ids.uuid7, ids.uuid7s().__next__])
def test_uuid7_carries_the_time(new_id: Callable[[], str]) -> None:
    import time

    before = time.time_ns() // 1_000_000
    stamp = uuid.UUID(new_id()).int >> 80
    assert before - 1 <= stamp <= time.time_ns() // 1_000_000 + 1_000


def test_uuid5_distinguishes_its_parts() -> None:
    assert ids.uuid5("a", "bc") != ids.uuid5("ab", "c")
    assert ids.uuid5("a", "bc") == ids.uuid5("a", "bc")
    assert uuid.UUID(ids.uuid5("a")).version == 5


@pytest.mark.parametrize(
    "script", ["import logging; logging.getLogger('other').warning('said')", "log.info('said', n=1)"]
)
def test_logs_are_json_lines_when_stderr_is_not_a_terminal(script: str) -> None:
    code = f"from auditlane.runtime import log as l; l.configure(); log = l.get('worker'); {script}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    line = json.loads(run.stderr)
    assert line["event"] == "said"
    assert {"level", "timestamp"} <= set(line)


def test_a_traceback_in_a_log_shows_no_local_variables() -> None:
    code = (
        "from auditlane.runtime import log as l; l.configure(json=False); log = l.get('worker')\n"
        "def fail(password): raise ValueError('no')\n"
        "try: fail('hunter' + '2')\n"
        "except ValueError: log.exception('failed')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ValueError: no" in run.stderr
    assert "hunter2" not in run.stderr


def test_no_budget_is_unlimited_by_default() -> None:
    fields = {name: field for group in settings.GROUPS for name, field in group.model_fields.items()}
    budgets = {name: field.default for name, field in fields.items() if settings.budget_of(field)}
    assert len(budgets) >= 3
    assert not {name for name, default in budgets.items() if not default or default <= 0}
