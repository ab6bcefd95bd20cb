"""Tests how the gateway uses the SDK's spool."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from auditlane.gateway.ingest_service import IngestService, Result
from auditlane.gateway.kafka import ACKNOWLEDGED, SPOOLED, AckWaiter, client_config, public_error
from auditlane.gateway.request_batch import BatchResult, answer
from auditlane.runtime.errors import ConfigError, KafkaUnavailable, SpoolFailed, SpoolFull
from auditlane.runtime.settings import Settings, load


def settings(**given: Any) -> Settings:
    return load(kafka_bootstrap="127.0.0.1:9", registry_url="http://127.0.0.1:9", **given)


def test_the_spool_is_off_unless_its_size_is_set(monkeypatch, tmp_path):
    monkeypatch.setenv("AUDITLANE_SPOOL_DIR", str(tmp_path))
    monkeypatch.setenv("AUDITLANE_DELIVERY_MODE", "durable")
    config = client_config(settings(ingest_ack_timeout_ms=700))
    assert (config.spool_dir, config.delivery_mode, config.delivery_timeout_ms) == ("", "fast", 700)
    config = client_config(settings(ingest_spool_bytes=1 << 20, ingest_spool_dir=tmp_path / "a"))
    assert (config.spool_dir, config.spool_bytes, config.spool_full) == (str(tmp_path / "a"), 1 << 20, "raise")


def test_the_folder_is_beside_the_signing_keys_or_must_be_set(tmp_path):
    config = client_config(settings(ingest_spool_bytes=1 << 20, signing_keys_file=tmp_path / "signing-keys.json"))
    assert Path(config.spool_dir) == tmp_path / "ingest"
    with pytest.raises(ConfigError, match="AUDITLANE_INGEST_SPOOL_DIR"):
        client_config(settings(ingest_spool_bytes=1 << 20))
    with pytest.raises(ConfigError, match="must be 0 or at least 1048576"):
        settings(ingest_spool_bytes=5)


def test_a_folder_that_cannot_be_used_is_an_error_when_the_service_starts(tmp_path):
    (tmp_path / "file").write_text("")
    service = IngestService(settings(ingest_spool_bytes=1 << 20, ingest_spool_dir=tmp_path / "file"))
    with pytest.raises(ConfigError, match="cannot create files in the spool folder"):
        service.open()


def test_an_event_that_is_on_disk_is_settled_and_a_later_outcome_ignored():
    async def outcomes() -> list[Any]:
        waiter = AckWaiter(3)
        waiter.spooled(0)
        waiter.settle(0, KafkaUnavailable("late"))
        waiter.settle(1, None)
        waiter.spooled(1)
        waiter.settle(2, None)
        return await waiter.wait(60)

    assert asyncio.run(outcomes()) == [SPOOLED, ACKNOWLEDGED, ACKNOWLEDGED]


def test_a_batch_is_settled_once_and_the_last_of_its_events_ends_the_wait():
    async def settled() -> list[Any]:
        waiter = AckWaiter(4)
        waiter.settle(1, SpoolFailed("no"))
        waiter.acknowledged([0, 1])
        waiter.acknowledged([2, 3])
        waiter.acknowledged([])
        return await waiter.wait(60)

    first, second, *others = asyncio.run(settled())
    assert [first, *others] == [ACKNOWLEDGED] * 3
    assert isinstance(second, SpoolFailed)


def test_the_response_names_and_counts_spooled_events():
    outcome = BatchResult()
    outcome.add([Result(0, "a"), Result(1, "b", spooled=True)])
    assert answer(outcome) == {
        "accepted": 2,
        "spooled": 1,
        "refused": 0,
        "results": [
            {"index": 0, "status": 202, "event_id": "a"},
            {"index": 1, "status": 202, "event_id": "b", "spooled": True},
        ],
        "left_out": 0,
    }
    plain = BatchResult()
    plain.add([Result(0, "a")])
    assert "spooled" not in answer(plain)


def test_errors_of_the_spool_do_not_name_its_folder():
    full = public_error(SpoolFull("The spool in /private is full."))
    failed = public_error(SpoolFailed("The spool in /private cannot be written."))
    assert (full.code, failed.code) == ("BUFFER_FULL", "KAFKA_UNAVAILABLE")
    assert "private" not in str(full) + str(failed)
