"""Tests `auditlane structure` on the real engine and registry. The API shows what the command has changed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from auditlane.cli.structure import app
from auditlane.contract.registry import RegistryClient
from auditlane.contract.subjects import ensure_base_subject
from auditlane.runtime.errors import FieldConflict, InvalidInput, NotFound
from auditlane.runtime.settings import load
from auditlane.store.client import connect
from auditlane.store.migrate import migrate


@pytest.fixture
def run(clickhouse: str, registry: str, unique: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    with contextlib.closing(connect(load(clickhouse_url=clickhouse))) as client:
        migrate(client, unique)
    with contextlib.closing(RegistryClient(registry)) as names:
        ensure_base_subject(names, unique)
    for name, value in {
        "CLICKHOUSE_URL": clickhouse, "CLICKHOUSE_DATABASE": unique, "REGISTRY_URL": registry, "TOPIC": unique
    }.items():  # fmt: skip
        monkeypatch.setenv(f"AUDITLANE_{name}", value)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_an_operator_shows_the_structure_changes_it_and_reads_its_history(run: Callable[..., str]) -> None:
    assert "audit logs: on (by default); revision 0" in run("show")
    run("add-field", "region", "--type", "enum", "--one-of", "eu", "--one-of", "us", "--default", '"eu"')
    run("add-field", "amount", "--tenant", "acme", "--type", "Integer", "--minimum", "0", "--display-name", "Sum")
    run("set", "ip", "--tenant", "acme", "--no-in-table", "--order", "40")
    acme = json.loads(run("set", "--tenant", "acme", "--logs", "off", "--json"))
    fields = {one["name"]: one for one in acme["fields"]}
    assert (acme["enabled"], fields["ip"]["showInTable"], fields["ip"]["order"]) == (False, False, 40)
    assert {name: fields[name]["origin"] for name in ("region", "amount", "ip", "action")} == {
        "region": "environment", "amount": "tenant", "ip": "tenant", "action": "default"
    }  # fmt: skip
    assert "removed: amount" in run("remove-field", "amount", "--tenant", "acme")
    lines = [line.split()[:2] for line in run("history", "--tenant", "acme").splitlines() if line.startswith("    ")]
    assert lines == [["removed", "amount"], ["switched", "enabled:"], ["changed", "ip"], ["added", "amount"]]
    assert json.loads(run("history", "--json"))["data"][0]["changes"][0]["field"] == "region"


def test_an_operator_names_actions(run: Callable[..., str]) -> None:
    assert "Anmeldung fehlgeschlagen" in run("actions")
    run("name-action", "document.deleted", "--en", "Document deleted", "--de", "Dokument gelöscht")
    [own] = json.loads(run("actions", "--own", "--json"))["actions"]
    assert own["label"] == {"en": "Document deleted", "de": "Dokument gelöscht"}
    assert "added document.deleted" in run("history")
    assert json.loads(run("forget-action", "document.deleted", "--json")) == {"actions": []}
    with pytest.raises(InvalidInput, match=r"label\.de"):
        run("name-action", "document.deleted", "--en", "Document deleted", "--de", "")
    with pytest.raises(NotFound, match=r"document\.deleted"):
        run("forget-action", "document.deleted")


def test_errors_are_reported(run: Callable[..., str]) -> None:
    with pytest.raises(InvalidInput, match="--logs"):
        run("set")
    with pytest.raises(InvalidInput, match="type"):
        run("add-field", "x", "--type", "Colour")
    with pytest.raises(InvalidInput, match="not JSON"):
        run("add-field", "x", "--default", "eu")
    with pytest.raises(InvalidInput, match="There is no field nothing"):
        run("set", "nothing", "--order", "1")
    with pytest.raises(NotFound):
        run("remove-field", "nothing")
    run("add-field", "x")
    with pytest.raises(FieldConflict):
        run("add-field", "x", "--type", "Number")
