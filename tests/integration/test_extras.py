"""Tests that each extra installs everything that its subcommands need, both for their help and for their work.

The quick test blocks the modules of all other packages. The long test uses a separate environment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from fixtures.commands import Commands
from fixtures.extras import Install, Python, packages_of
from fixtures.workers import World

from auditlane.access.keys import KeysFile
from auditlane.access.signing import SigningKeys
from auditlane.cli.subcommands import SUBCOMMANDS, find
from auditlane.runtime.errors import ConfigError, MissingExtra, NotFound, Unavailable, exit_code
from auditlane.runtime.settings import variable

# Arguments with which a subcommand does the least work, and its permitted exit codes.
ENDS: dict[str, tuple[str, set[int]]] = {
    "status": ("--json", {exit_code(Unavailable(""))}),  # there is no stack
    "env": ("--json", {exit_code(NotFound(""))}),
    "doctor": ("--json", {0, 1}),
    "init": ("--json", {0}),
    "lag": ("--json", {exit_code(NotFound(""))}),  # no worker has joined the group
    "capacity": ("--rate 10k --tenants 2000 --retention 13m --json", {0}),
    "dlq": ("list --json", {0}),
    "replay": ("{topic} --into-topic copy-of-{topic} --dry-run --json", {0}),
    "verify": ("--json", {0}),
    "accept-loss": ("{topic} 0 --to 1 --dry-run --json", {exit_code(ConfigError(""))}),  # nothing is lost
    "emit": ("--tenant acme --action login --json", {0}),
    "import": ("{folder}/events.jsonl --json", {0}),
    "outbox": ("relay --once --url sqlite://", {exit_code(ConfigError(""))}),  # the database has no table
    "events": ("--tenant acme --json", {0}),
    "export": ("--tenant acme --format pdf --output {folder}/events.pdf", {0}),
    "structure": ("show --json", {0}),
    "schema": ("diff shop_events --json", {1}),  # the contract lacks the event's field
    "keys": ("create --role auditor --json", {0}),
    "token": ("--tenant acme --json", {0}),
    "version": ("", {0}),
}
EVENTS = """
from auditlane.sdk import AuditEvent


class DocumentDeleted(AuditEvent, action="document.deleted"):
    project: str | None = None
"""
LASTS = {
    "worker": "",
    "serve": "--port 0",
    "canary": "--port 0 --through store",
    "up": "--json --port 0 --data {folder}/stack",
}
NAMES = [subcommand.name for subcommand in SUBCOMMANDS]
EXTRAS = {subcommand.extra for subcommand in SUBCOMMANDS}
# The subcommands executed in every run, with the modules of all other packages blocked. Together, they import
# everything that the extras install. The long run executes all subcommands.
QUICK = {"doctor", "dlq", "replay", "verify", "emit", "outbox", "export", "token"}
# All help texts are printed in one process. A process for each would take half a minute in total.
HELPS = """
import sys
from auditlane.cli.app import app

for name in sys.argv[1:]:
    app([name, "--help"], standalone_mode=False)
"""


@pytest.fixture
def env(commands: Commands, tmp_path: Path) -> dict[str, str]:
    """Provide the variables with which a command connects to the world. Keys that it creates are stored in the test's
    folder.
    """
    files = {name: tmp_path / f"{name}.json" for name in ("keys_file", "signing_keys_file")}
    KeysFile.load_or_create(files["keys_file"])
    SigningKeys.load_or_create(files["signing_keys_file"])
    return commands.env | {variable(name): str(path) for name, path in files.items()}


@pytest.fixture(params=["blocked", pytest.param("installed", marks=pytest.mark.long)])
def install(request: pytest.FixtureRequest) -> Install:
    """Make one extra available: block all other packages or, in the long tests, install the extra with pip."""
    return request.getfixturevalue(request.param)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, error = process.communicate(timeout=120)
    assert "Traceback" not in error, error
    assert MissingExtra.code not in error, error
    assert "pip install" not in error, error
    return process.returncode, out, error


def test_every_subcommand_has_a_case():
    assert {*ENDS, *LASTS} == set(NAMES)


def test_the_closures_of_extras_differ():
    assert {"typer", "rich", "pydantic-settings", "fastavro"} <= packages_of(["cli"])
    assert packages_of([]) < packages_of(["cli"]) < packages_of(["worker"])
    assert "fastapi" not in packages_of(["worker"])
    assert "chdb-core" not in packages_of(["worker", "serve"])


@pytest.mark.long
@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_the_help_of_every_subcommand_of_an_extra(blocked: Install, extra: str, tmp_path: Path) -> None:
    names = [subcommand.name for subcommand in SUBCOMMANDS if subcommand.extra == extra]
    code, out, error = run(blocked(extra), tmp_path, HELPS, *names)
    assert code == 0, error
    assert out.count("Usage: ") == len(names)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_subcommand(installed: Install, name: str, tmp_path: Path) -> None:
    code, out, error = ended(installed(find(name).extra).start(name, "--help", folder=tmp_path, env={}))
    assert code == 0, error
    assert "Usage: auditlane" in out


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in ENDS])
def test_a_subcommand_does_its_work(
    install: Install, name: str, world: World, env: dict[str, str], tmp_path: Path
) -> None:
    event = {"tenant_id": "acme", "action": "login", "occurred_at": "2026-01-31T13:45:00Z"}
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n")
    (tmp_path / "shop_events.py").write_text(EVENTS)
    arguments, codes = ENDS[name]
    options = arguments.format(topic=world.settings.topic, folder=tmp_path).split()
    code, out, error = ended(install(find(name).extra).start(name, *options, folder=tmp_path, env=env))
    assert code in codes, out + error


@pytest.mark.parametrize("name", [name for name in LASTS if name != "up"])
def test_a_service_starts(install: Install, name: str, env: dict[str, str], tmp_path: Path) -> None:
    started(install(find(name).extra), name, tmp_path, env)


@pytest.mark.long
def test_a_whole_stack_starts(installed: Install, tmp_path: Path) -> None:
    started(installed(find("up").extra), "up", tmp_path, {})


def test_without_an_extra_the_sdk_imports_and_a_command_names_what_it_needs(install: Install, tmp_path: Path) -> None:
    python = install("")
    code, _, error = run(python, tmp_path, "from auditlane.sdk import AuditClient, AuditReader, Event")
    assert code == 0, error
    process = python.start("version", folder=tmp_path, env={})
    _, error = process.communicate(timeout=60)
    assert process.returncode == exit_code(MissingExtra(""))
    assert "pip install 'auditlane[cli]'" in error


def run(python: Python, folder: Path, code: str, *arguments: str) -> tuple[int, str, str]:
    command = [python.path, "-c", code, *arguments]
    done = subprocess.run(command, cwd=folder, env=os.environ | python.env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def started(python: Python, name: str, folder: Path, env: dict[str, str]) -> None:
    """Start a long-running command, wait until it is ready, and stop it."""
    process = python.start(name, *LASTS[name].format(folder=folder).split(), folder=folder, env=env)
    assert process.stdout
    line = process.stdout.readline()
    assert line, ended(process)
    assert json.loads(line)["ready"]
    process.send_signal(signal.SIGTERM)
    code, _, error = ended(process)
    assert code == 0, error
