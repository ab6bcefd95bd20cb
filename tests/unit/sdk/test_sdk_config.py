"""Tests the SDK's settings and its public API."""

from __future__ import annotations

import subprocess
import sys

import pytest

import auditlane.sdk
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import Settings
from auditlane.sdk import AuditClient, ClientConfig
from auditlane.sdk.delivery import producer_options

GIVEN = {"kafka_bootstrap": "127.0.0.1:9", "registry_url": "http://127.0.0.1:9"}


def test_the_public_names_are_exactly_those_exported():
    assert auditlane.sdk.__all__ == sorted(auditlane.sdk.__all__)
    lazy = {"AuditReader", "Event", "EventFields", "EventFilters", "EventGroups", "ExportProgress", "SingleEvent"}
    functions = {"audit", "default_client", "set_default_client"}
    assert {name for name in vars(auditlane.sdk) if name[0].isupper()} == set(auditlane.sdk.__all__) - lazy - functions
    for name in lazy:
        assert getattr(auditlane.sdk, name).__name__ == name
    with pytest.raises(AttributeError, match="Reader"):
        _ = auditlane.sdk.Reader


def test_emitting_imports_no_server_settings_or_logging_framework():
    code = "import sys; from auditlane.sdk import AuditClient; print(*sys.modules)"
    names = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert not names & {"auditlane.sdk.actions", "auditlane.contract.vocabulary", "auditlane.sdk.reader"}
    loaded = {name.partition(".")[0] for name in names}
    heavy = {"pydantic_settings", "structlog", "rich", "typer", "pyarrow", "clickhouse_connect", "fastapi", "urllib3"}
    assert not loaded & heavy


def test_every_error_is_reported_at_once_with_its_variable():
    wrong = {
        "AUDITLANE_KAFKA_BOOTSTRAP": "nowhere",
        "AUDITLANE_KAFKA_EXTRA": '{"acks": "1"}',
        "AUDITLANE_REGISTRY_CA": "/nonexistent/ca.pem",
        "AUDITLANE_MAX_BLOCK_MS": "soon",
        "AUDITLANE_BUFFER_BYTES": "-1",
        "AUDITLANE_SHARDS": '{"acme": 0}',
        "AUDITLANE_DEDICATED_TENANTS": "acme,a#b",
        "AUDITLANE_COMPRESSION": "gzip",
        "AUDITLANE_TOPIC": "no topic",
    }
    with pytest.raises(ConfigError) as caught:
        ClientConfig.load(wrong, max_blok_ms=1)
    for name in (*wrong, "AUDITLANE_REGISTRY_URL: is not set", "max_blok_ms: unknown option"):
        assert name in str(caught.value)


def test_options_take_precedence_over_the_environment():
    environ = {"AUDITLANE_KAFKA_BOOTSTRAP": "a:1", "AUDITLANE_REGISTRY_URL": "http://r/", "AUDITLANE_MAX_BLOCK_MS": "5"}
    config = ClientConfig.load(environ, kafka_bootstrap="b:2,c:3", max_block_ms=None)
    assert (config.kafka_bootstrap, config.registry_url, config.max_block_ms) == ("b:2,c:3", "http://r", 5)


def test_secrets_are_not_shown():
    assert "hush" not in repr(ClientConfig.load({}, registry_password="hush", registry_token="hush", **GIVEN))


def test_shared_settings_have_the_servers_names_and_defaults():
    config, settings = ClientConfig.load({}, **GIVEN), Settings()
    for name in ("topic", "max_event_bytes", "registry_refresh_s"):
        assert getattr(config, name) == getattr(settings, name)
    assert {
        "kafka_bootstrap",
        "kafka_extra",
        "registry_url",
        "registry_user",
        "registry_ca",
    } <= Settings.model_fields.keys()


def test_the_options_that_the_guarantees_require():
    options = producer_options(ClientConfig.load({}, kafka_extra={"security.protocol": "SSL"}, **GIVEN))
    assert (options["acks"], options["enable.idempotence"], options["partitioner"]) == ("all", "true", "murmur2_random")
    assert options["security.protocol"] == "SSL"
    assert options["queue.buffering.max.kbytes"] == 65_536


@pytest.mark.parametrize("extra", [{"acks": 0}, {"enable.idempotence": False}, {"partitioner": "random"}])
def test_an_extra_option_cannot_weaken_them(extra):
    with pytest.raises(ConfigError, match="must stay"):
        ClientConfig.load({}, kafka_extra=extra, **GIVEN)


def test_repeating_them_is_accepted():
    extra = {"acks": -1, "enable.idempotence": True, "request.required.acks": "all"}
    assert ClientConfig.load({}, kafka_extra=extra, **GIVEN).kafka_extra == extra


def test_an_unknown_librdkafka_option_is_reported():
    with pytest.raises(ConfigError, match="AUDITLANE_KAFKA_EXTRA"):
        AuditClient(kafka_extra={"no.such.option": 1}, **GIVEN)
