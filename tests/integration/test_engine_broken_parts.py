"""Tests that a part is reported if ClickHouse could not read it at start-up and therefore detached it. Otherwise, its
rows would be missing without any error.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixtures.clickhouse import EngineProcess

from auditlane.local import services
from auditlane.local.doctor.clickhouse import detached
from auditlane.local.doctor.finding import Level
from auditlane.runtime.settings import Settings, load, variable
from auditlane.store.client import connect
from auditlane.store.migrate import migrate


def _truncate(part: Path) -> None:
    with (part / "data.bin").open("r+") as file:
        file.truncate(10)


def _without(part: Path) -> None:
    (part / "data.bin").unlink()


@pytest.mark.parametrize("breaks", [_truncate, _without])
def test_a_broken_part_is_reported_by_up_and_by_the_doctor(tmp_path: Path, breaks) -> None:
    users = tmp_path / "users.json"
    users.write_text(json.dumps({"init": "password of init"}))
    account = {"clickhouse_user": "init", "clickhouse_password": "password of init"}

    def start() -> tuple[EngineProcess, Settings]:
        engine = EngineProcess(tmp_path / "clickhouse", extra=("--users", str(users)))
        return engine, load(clickhouse_url=engine.url, **account)

    def warnings(settings: Settings) -> list[str]:
        variables = {variable("clickhouse_url"): settings.clickhouse_url}
        return services.detached_part_warnings(variables, settings)

    engine, settings = start()
    client = connect(settings)
    migrate(client, "audit")
    for offset in range(2):
        client.insert("events", [[f"t{offset}"]], column_names=["tenant_id"], database="audit")
    [(path,)] = client.query(
        "SELECT path FROM system.parts WHERE database = 'audit' AND table = 'events' AND active LIMIT 1"
    ).result_rows
    assert warnings(settings) == []
    client.close()
    assert engine.stop() == 0
    breaks(Path(path))

    engine, settings = start()
    client = connect(settings)
    assert client.query("SELECT count() FROM audit.events").result_rows == [(1,)]
    [finding] = detached(client)
    assert finding.level is Level.FAIL
    assert "ClickHouse detached 1 broken part of audit.events" in finding.message
    assert "auditlane verify" in finding.fix
    assert warnings(settings) == [f"{finding.message} {finding.fix}"]
    client.close()
    engine.stop()


def test_a_failed_check_is_reported_too(tmp_path: Path) -> None:
    variables = {variable("clickhouse_url"): "http://127.0.0.1:1"}
    [sentence] = services.detached_part_warnings(variables, load())
    assert sentence.startswith("Detached parts of ClickHouse could not be listed: ")
