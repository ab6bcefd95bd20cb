"""Tests `auditlane keys` and `auditlane token` as a user runs them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from serving import MemoryClaims
from typer.testing import CliRunner

from auditlane.access.keys import KeysFile
from auditlane.access.links import LinkExchange
from auditlane.access.permissions import Permission
from auditlane.access.provenance_keys import ProvenanceKeys
from auditlane.access.signing import SigningKeys
from auditlane.access.tokens import authenticate
from auditlane.cli import keys, operator_audit, token
from auditlane.cli.keys import parse_end, parse_span
from auditlane.runtime.errors import AuditlaneError, ConfigError, InvalidInput
from auditlane.trail.spooling import FileSpool

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUDITLANE_KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("AUDITLANE_SIGNING_KEYS_FILE", str(tmp_path / "signing.json"))
    monkeypatch.setenv("AUDITLANE_SERVE_URL", "https://audit.example")
    SigningKeys.load_or_create(tmp_path / "signing.json")
    return tmp_path


def run(app: Any, *arguments: str) -> str:
    """Run a command and return its output. AuditlaneErrors are raised unchanged."""
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, AuditlaneError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_missing_files_of_keys_are_created_and_existing_ones_kept(folder, tmp_path):
    before = (folder / "signing.json").read_bytes()
    shown = run(keys.app, "init")
    assert f"{folder / 'signing.json'}: exists" in shown
    assert f"{folder / 'keys.json'}: created" in shown
    assert (folder / "signing.json").read_bytes() == before
    made = json.loads(run(keys.app, "init", "--folder", str(tmp_path / "new"), "--json"))["files"]
    assert [(Path(one["path"]).name, one["created"]) for one in made] == [
        ("keys.json", True),
        ("signing-keys.json", True),
        ("provenance-keys.json", True),
    ]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new").glob("*.json")} == {0o600}
    assert not any(one["created"] for one in json.loads(run(keys.app, "init", "--json"))["files"])


def test_the_life_cycle_of_a_key(folder):
    made = json.loads(run(keys.app, "create", "--role", "vendor", "--role", "admin", "--expires", "90d", "--json"))
    assert made["roles"] == ["vendor", "admin"]
    file, now = KeysFile(folder / "keys.json"), datetime.now(UTC)
    assert file.verify(made["client_id"], made["secret"], now=now)
    listed = run(keys.app, "list", "--json")
    assert made["secret"] not in listed
    assert "argon2" not in listed
    assert json.loads(listed)[0]["state"] == "active"
    assert made["client_id"] in run(keys.app, "list")
    again = json.loads(run(keys.app, "rotate", made["client_id"], "--json"))
    for secret in (made["secret"], again["secret"]):
        assert file.verify(made["client_id"], secret, now=now)
    assert "revoked" in run(keys.app, "revoke", made["client_id"])
    assert json.loads(run(keys.app, "list", "--json"))[0]["state"] == "revoked"


def test_a_key_may_have_an_extra_permission(folder):
    bound = ("create", "--role", "vendor", "--tenant", "acme", "--json")
    plain = json.loads(run(keys.app, *bound))
    assert "audits:contract" not in plain["permissions"]
    named = json.loads(run(keys.app, *bound, "--permission", "contract"))
    assert named["extra_permissions"] == ["audits:contract"]
    assert set(named["permissions"]) == {*plain["permissions"], "audits:contract"}
    file = KeysFile(folder / "keys.json")
    assert Permission.contract in file.find(named["client_id"]).permissions
    run(keys.app, "rotate", named["client_id"])
    assert Permission.contract in file.find(named["client_id"]).permissions
    assert json.loads(run(keys.app, "create", "--role", "vendor", "--json"))["permissions"] == sorted(
        {*plain["permissions"], "audits:contract"}
    )


def test_a_key_is_printed_for_a_shell(folder):
    printed = run(keys.app, "create", "--role", "writer", "--format", "shell", "--client-id", "it's-$HOME")
    read = 'eval "$1"; printf "%s\\n" "$CLIENT_ID" "$SECRET"'
    client_id, secret = subprocess.check_output(["sh", "-c", read, "sh", printed], text=True).splitlines()
    assert client_id == "it's-$HOME"
    assert KeysFile(folder / "keys.json").verify(client_id, secret, now=datetime.now(UTC)).client_id == client_id
    assert json.loads(run(keys.app, "create", "--role", "writer", "--format", "json"))["secret"].startswith("als_")


def test_a_secret_is_printed_once_for_people(folder):
    out = run(keys.app, "create", "--role", "auditor", "--tenant", "acme")
    client_id, secret = (line.split()[-1] for line in out.splitlines()[:2])
    assert KeysFile(folder / "keys.json").verify(client_id, secret, now=datetime.now(UTC)).tenant == "acme"
    assert "cannot be shown again" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--role", "god"], "unknown role 'god'"),
        (["--role", "writer", "--tenant", "a b"], "tenant_id"),
        (["--role", "writer", "--tenant", ""], "tenant_id"),
        (["--role", "writer", "--expires", "soon"], "not a duration"),
        (["--role", "writer", "--permission", "audits:everything"], "audits:everything"),
        (["--role", "writer", "--permission", "contract,read"], "contract,read"),
        (["--role", "writer", "--expires", "2020-01-01"], "past"),
    ],
)
def test_wrong_arguments_are_named_and_create_no_key(folder, arguments, message):
    with pytest.raises(AuditlaneError, match=message):
        run(keys.app, "create", *arguments)
    assert not (folder / "keys.json").exists() or not KeysFile(folder / "keys.json").clients()


def test_a_missing_setting_is_named():
    for app, arguments, name in (
        (keys.app, ["list"], "AUDITLANE_KEYS_FILE"),
        (keys.app, ["rotate-signing"], "AUDITLANE_SIGNING_KEYS_FILE"),
        (token.app, ["--tenant", "acme"], "AUDITLANE_SIGNING_KEYS_FILE"),
    ):
        with pytest.raises(ConfigError, match=name):
            run(app, *arguments)


def test_durations_and_expiry_times_are_parsed_in_every_accepted_form():
    assert parse_span("90d") == timedelta(days=90)
    assert parse_end("12h", NOW) == NOW + timedelta(hours=12)
    assert parse_end("2026-02-01", NOW) == datetime(2026, 2, 1, tzinfo=UTC)
    assert parse_end("2026-02-01T10:00:00+02:00", NOW) == datetime(2026, 2, 1, 8, tzinfo=UTC)
    for wrong in ("", "90", "d", "-1d", "1y", "99999999d"):
        with pytest.raises(InvalidInput):
            parse_span(wrong)


def test_a_token_for_a_viewer(folder):
    output = json.loads(
        run(token.app, "--tenant", "acme", "--user", "jane", "--permissions", "read", "--ttl", "1h", "--json")
    )
    assert output["expires_in"] == 3600
    found = authenticate(
        output["token"],
        keys=KeysFile.load_or_create(folder / "keys.json"),
        signing=SigningKeys(folder / "signing.json"),
        now=datetime.now(UTC),
    )
    assert (found.subject, found.tenant, found.permissions) == ("jane", "acme", {Permission.read})
    assert permissions_in(run(token.app, "--tenant", "acme")) == {"audits:read", "audits:export"}
    assert permissions_in(
        run(token.app, "--tenant", "acme", "--permission", "read,configure", "--permission", "audits:contract")
    ) == {"audits:read", "audits:configure", "audits:contract"}
    assert run(token.app, "--tenant", "acme").count(".") == 2


def permissions_in(printed: str) -> set[str]:
    body = printed.strip().split(".")[1]
    return set(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["permissions"])


def test_a_minted_link_is_exchanged_for_a_session(folder):
    link = run(token.app, "--tenant", "acme", "--link").strip()
    assert link.startswith("https://audit.example/enter?code=")
    desk = LinkExchange(
        SigningKeys(folder / "signing.json"), KeysFile.load_or_create(folder / "keys.json"), MemoryClaims()
    )
    assert desk.redeem(link.partition("code=")[2], now=datetime.now(UTC)).token.ttl == timedelta(minutes=15)


@pytest.mark.parametrize(
    "arguments", [["--tenant", "a b"], ["--tenant", "a", "--permissions", "write"], ["--tenant", "a", "--ttl", "9d"]]
)
def test_an_impossible_token_is_rejected(folder, arguments):
    with pytest.raises(InvalidInput):
        run(token.app, *arguments)


def test_signing_keys_are_rotated(folder):
    output = json.loads(run(keys.app, "rotate-signing", "--at-once", "--json"))
    content = json.loads((folder / "signing.json").read_text())
    assert content["keys"][-1]["kid"] == output["kid"]
    assert "retires" in content["keys"][0]


def test_the_console_reports_errors_with_a_fix(folder):
    done = subprocess.run(
        [sys.executable, "-m", "auditlane.cli", "keys", "revoke", "nobody"],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "keys.json" in done.stderr
    assert done.stdout == ""


def test_commands_are_recorded_in_auditlanes_own_trail(folder, monkeypatch):
    recorded: list[tuple[str, dict[str, Any]]] = []
    for module in (keys, token):
        monkeypatch.setattr(module, "record", lambda action, **facts: recorded.append((str(action), facts)))
    made = json.loads(run(keys.app, "create", "--role", "vendor", "--tenant", "acme", "--json"))
    again = json.loads(run(keys.app, "rotate", made["client_id"], "--json"))
    run(keys.app, "revoke", made["client_id"])
    run(keys.app, "rotate-signing")
    minted = run(token.app, "--tenant", "acme", "--user", "jane").strip()
    run(token.app, "--tenant", "acme", "--link")
    assert [action for action, _ in recorded] == [
        "key.created",
        "key.rotated",
        "key.revoked",
        "signing_keys.rotated",
        "viewer_token.issued",
        "link.issued",
    ]
    assert all(facts["tenant"] == "acme" for action, facts in recorded if action != "signing_keys.rotated")
    assert recorded[0][1]["resource_id"] == made["client_id"]
    for secret in (made["secret"], again["secret"], minted):
        assert secret not in str(recorded)


def test_without_kafka_a_command_works_and_reports_what_is_missing(folder, monkeypatch):
    monkeypatch.setattr(operator_audit, "_WAIT_S", 0.2)
    monkeypatch.setenv("AUDITLANE_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("AUDITLANE_REGISTRY_URL", "http://127.0.0.1:1")
    done = CliRunner().invoke(keys.app, ["create", "--role", "vendor", "--json"])
    assert done.exit_code == 0
    assert KeysFile(folder / "keys.json").find(json.loads(done.stdout)["client_id"])
    assert "not in the audit log" in done.stderr


@pytest.mark.parametrize("keys_are_there", [True, False])
def test_records_that_cannot_be_sent_are_spooled_for_the_service(folder, monkeypatch, keys_are_there):
    monkeypatch.setattr(operator_audit, "_WAIT_S", 0.2)
    monkeypatch.setenv("AUDITLANE_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("AUDITLANE_REGISTRY_URL", "http://127.0.0.1:1")
    if keys_are_there:
        ProvenanceKeys.load_or_create(folder / "provenance-keys.json")
    done = CliRunner().invoke(keys.app, ["create", "--role", "vendor", "--tenant", "acme", "--json"])
    assert done.exit_code == 0
    assert ("cannot be signed" in done.stderr) == (not keys_are_there)
    assert str(folder / "trail") in done.stderr
    left: list[dict[str, Any]] = []
    FileSpool(folder / "trail", most_bytes=1).drain(lambda records: left.extend(map(json.loads, records)) or True)
    assert [(one["tenant_id"], one["action"]) for one in left] == [
        ("_auditlane", "key.created"),
        ("acme", "key.created"),
    ]
    assert not keys_are_there or "registry" in done.stderr
    assert (folder / "provenance-keys.json").exists() == keys_are_there, "no key is created that no worker has"


def test_without_a_folder_an_unsigned_record_is_reported_as_lost(folder, monkeypatch):
    monkeypatch.setenv("AUDITLANE_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("AUDITLANE_REGISTRY_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("AUDITLANE_SIGNING_KEYS_FILE")
    done = CliRunner().invoke(keys.app, ["create", "--role", "vendor", "--json"])
    assert done.exit_code == 0
    assert "This change is not in the audit log: auditlane's own events cannot be signed" in done.stderr
    assert "AUDITLANE_PROVENANCE_KEYS_FILE" in done.stderr


def test_a_link_to_the_console(folder):
    link = run(token.app, "--console", "--user", "ops").strip()
    assert link.startswith("https://audit.example/enter?code=")
    desk = LinkExchange(
        SigningKeys(folder / "signing.json"), KeysFile.load_or_create(folder / "keys.json"), MemoryClaims()
    )
    opened = desk.redeem(link.partition("code=")[2], now=datetime.now(UTC))
    assert (opened.page, opened.user, opened.tenant) == ("/console", "ops", None)
    with pytest.raises(ConfigError, match="--tenant is missing"):
        run(token.app, "--link")
