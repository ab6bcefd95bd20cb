"""Tests the passwords of a stack's services: the files that contain them, which service gets which password, and how
commands find them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auditlane.access.signing import SigningKeys
from auditlane.cli import app as cli
from auditlane.local import credentials, services, stack_environment, stack_variables
from auditlane.local.credentials import USER, Credentials, Role, account_variables
from auditlane.local.java import Java
from auditlane.local.kafka import Broker, Node
from auditlane.local.layout import Layout
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import load
from auditlane.store.roles import ROLES

PARTS = ("kafka", "registry", "clickhouse")
ADDRESSES = {
    "AUDITLANE_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "AUDITLANE_REGISTRY_URL": "http://127.0.0.1:2",
    "AUDITLANE_CLICKHOUSE_URL": "http://127.0.0.1:3",
}


@pytest.fixture
def made(tmp_path) -> Credentials:
    return Credentials.load_or_create(tmp_path / "credentials")


def secrets_of(made: Credentials) -> set[str]:
    return {password for users in made.passwords.values() for password in users.values()}


# Where passwords are stored.


def test_passwords_are_random_created_once_and_readable_by_their_owner_only(tmp_path, made):
    assert len(secrets_of(made)) == 6
    assert min(map(len, secrets_of(made))) >= 32
    assert Credentials.load_or_create(tmp_path / "credentials") == made
    assert not secrets_of(made) & secrets_of(Credentials.load_or_create(tmp_path / "other"))
    assert made.folder.stat().st_mode & 0o777 == 0o700
    for part in PARTS:
        assert made.file(part).stat().st_mode & 0o777 == 0o600
        assert json.loads(made.file(part).read_text()) == made.passwords[part]
    assert not any(secret in repr(made) for secret in secrets_of(made))


def test_clickhouse_has_a_user_for_each_role(made):
    assert tuple(made.passwords["clickhouse"]) == ROLES == tuple(credentials.Role)


def test_a_user_that_an_older_release_did_not_know_is_added(made):
    del made.passwords["clickhouse"]["analyst"]
    made.file("clickhouse").write_text(json.dumps(made.passwords["clickhouse"]))
    made.file("registry").unlink()
    again = Credentials.load_or_create(made.folder)
    assert set(again.passwords["clickhouse"]) == {"init", "worker", "query", "analyst"}
    assert again.of("clickhouse", "worker") == made.of("clickhouse", "worker")
    assert again.of("kafka") == made.of("kafka")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"auditlane": ""}', '{"auditlane": 7}'])
def test_a_file_that_cannot_be_used_is_named(made, text):
    made.file("kafka").write_text(text)
    with pytest.raises(ConfigError, match=r"kafka\.json") as caught:
        Credentials.load_or_create(made.folder)
    assert "Delete it" in caught.value.fix


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_passwords_that_others_can_read_are_not_used(made, mode):
    made.file("clickhouse").chmod(mode)
    with pytest.raises(ConfigError, match="another user owns it or can read it"):
        Credentials.load_or_create(made.folder)


# Which service gets which password.


def test_accounts_of_the_embedded_parts(made):
    found = account_variables(load(), made, Role.WORKER)
    extra = json.loads(found["AUDITLANE_KAFKA_EXTRA"])
    assert (extra["sasl.username"], extra["sasl.password"]) == (USER, made.of("kafka"))
    assert (found["AUDITLANE_REGISTRY_USER"], found["AUDITLANE_REGISTRY_PASSWORD"]) == (USER, made.of("registry"))
    assert found["AUDITLANE_CLICKHOUSE_USER"] == "worker"
    assert found["AUDITLANE_CLICKHOUSE_PASSWORD"] == made.of("clickhouse", "worker")
    assert load(kafka_extra=found["AUDITLANE_KAFKA_EXTRA"]).kafka_extra == extra


def test_a_replaced_part_keeps_the_account_that_it_has(made):
    replaced = load(kafka_bootstrap="a:1", registry_url="http://r", clickhouse_url="http://c")
    assert account_variables(replaced, made) == {}
    only = account_variables(load(registry_url="http://r"), made)
    assert not any("REGISTRY" in name for name in only)
    assert any("KAFKA" in name for name in only)


def test_a_shells_accounts_are_never_used_for_embedded_parts(made):
    """Neither the user nor the token is used. Of the Kafka options, only those that are not related to an account are
    used.
    """
    stale = {"security.protocol": "SASL_SSL", "sasl.username": "u", "sasl.password": "old", "client.rack": "a"}
    settings = load(
        kafka_extra=stale, registry_user="u", registry_token="t", clickhouse_user="u", clickhouse_password="p"
    )
    entered = stack_variables.with_accounts(settings, account_variables(settings, made))
    assert entered.kafka_extra == {"client.rack": "a"} | credentials.sasl_config(made.of("kafka"))
    assert (entered.registry_user, entered.registry_token.get_secret_value()) == (USER, "")
    assert entered.clickhouse_user == "init"
    off = stack_variables.with_accounts(settings, account_variables(settings, None))
    assert off.kafka_extra == {"client.rack": "a"}
    assert (off.registry_user, off.registry_password.get_secret_value()) == ("", "")
    assert (off.clickhouse_user, off.clickhouse_password.get_secret_value()) == ("default", "")


def broker(folder: Path, password: str) -> Broker:
    return Broker(folder, Node(1, 2), Java(Path("java"), 25), [Path("/x.jar")], folder / "log", password=password)


def test_both_ports_of_the_broker_require_the_password(tmp_path):
    properties = broker(tmp_path, "s3cret").properties()
    assert set(properties["listener.security.protocol.map"].split(",")) == {
        "SASL_PLAINTEXT:SASL_PLAINTEXT",
        "CONTROLLER:SASL_PLAINTEXT",
    }
    for listener in ("sasl_plaintext", "controller"):
        assert 'user_auditlane="s3cret"' in properties[f"listener.name.{listener}.plain.sasl.jaas.config"]
    assert "s3cret" not in repr(broker(tmp_path, "s3cret"))
    assert not any("sasl" in name for name in broker(tmp_path, "").properties())


def build(folder: Path, made: Credentials | None) -> dict[str, services.Service]:
    port = dict.fromkeys(services.PORTS, 4242)
    kafka = broker(folder, made.of("kafka") if made else "")
    found = services.build(load(), Layout(folder), port, lambda: kafka, demo=True, credentials=made)
    return {part.name: part for part in found}


def test_each_part_gets_the_credentials_of_its_role_and_no_command_line_shows_them(tmp_path, made, monkeypatch):
    for name, value in {"REGISTRY_PASSWORD": "shell's", "CLICKHOUSE_PASSWORD": "shell's"}.items():
        monkeypatch.setenv(f"AUDITLANE_{name}", value)
    built = build(tmp_path, made)
    for part in built.values():
        assert not any(secret in word for secret in secrets_of(made) for word in part.command), part.name
    entry = {made.of("kafka"), made.of("registry")}
    roles = {"init": Role.INIT, "worker": Role.WORKER, "serve": Role.QUERY, "demo": Role.QUERY}
    for name, part in built.items():
        held = {secret for secret in secrets_of(made) if any(secret in value for value in part.env.values())}
        assert held == (entry | {made.of("clickhouse", roles[name])} if name in roles else set()), name
        assert "shell's" not in part.env.values()
    for name in ("registry", "clickhouse"):
        command = built[name].command
        assert command[command.index("--users") + 1] == str(made.file(name))


def test_without_credentials_no_part_requires_any(tmp_path):
    for part in build(tmp_path, None).values():
        assert "--users" not in part.command
        assert part.env.get("AUDITLANE_REGISTRY_PASSWORD", "") == ""


# How other commands find passwords.


def test_a_command_that_names_no_part_uses_the_stack():
    env = ADDRESSES | {
        "AUDITLANE_REGISTRY_USER": "auditlane",
        "AUDITLANE_KEYS_FILE": "/k",
        "AUDITLANE_REGISTRY_TOKEN": "",
    }
    assert stack_variables.missing_variables({"PATH": "/bin"}, env) == env
    assert stack_variables.missing_variables({"AUDITLANE_KEYS_FILE": "/mine"}, env) == {
        name: value for name, value in env.items() if name != "AUDITLANE_KEYS_FILE"
    }
    assert stack_variables.missing_variables({}, {}) == {}


def test_a_command_that_names_parts_only_uses_accounts_of_the_stacks_own():
    env = ADDRESSES | {
        "AUDITLANE_REGISTRY_USER": "auditlane",
        "AUDITLANE_REGISTRY_PASSWORD": "r",
        "AUDITLANE_CLICKHOUSE_USER": "init",
        "AUDITLANE_CLICKHOUSE_PASSWORD": "c",
        "AUDITLANE_KAFKA_EXTRA": "{}",
    }
    named = {"AUDITLANE_REGISTRY_URL": ADDRESSES["AUDITLANE_REGISTRY_URL"]}
    assert stack_variables.missing_variables(named, env) == {
        "AUDITLANE_REGISTRY_USER": "auditlane",
        "AUDITLANE_REGISTRY_PASSWORD": "r",
    }
    assert stack_variables.missing_variables({"AUDITLANE_REGISTRY_URL": "http://another:2"}, env) == {}
    own = {"AUDITLANE_CLICKHOUSE_URL": ADDRESSES["AUDITLANE_CLICKHOUSE_URL"], "AUDITLANE_CLICKHOUSE_USER": "analyst"}
    assert stack_variables.missing_variables(own, env) == {}  # the operator must set that user's password
    assert stack_variables.missing_variables(ADDRESSES, env) == {
        name: value for name, value in env.items() if name not in ADDRESSES
    }


@pytest.mark.parametrize("phase", ["running", "stopped"])
def test_every_command_finds_the_stack_that_runs_in_the_data_directory(tmp_path, monkeypatch, phase):
    layout = Layout.of(tmp_path / "data")
    layout.prepare()
    SigningKeys.load_or_create(tmp_path / "s.json")
    layout.write_state({"phase": phase, "env": ADDRESSES | {"AUDITLANE_SIGNING_KEYS_FILE": str(tmp_path / "s.json")}})
    monkeypatch.setenv("AUDITLANE_DATA_DIR", str(layout.root))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with layout.claim(os.getpid()):
        done = CliRunner().invoke(cli.app, ["token", "--tenant", "acme"])
    assert (done.exit_code == 0) is (phase == "running")
    assert ("AUDITLANE_REGISTRY_URL" in os.environ) is (phase == "running")


@pytest.mark.parametrize("command", [["version"], ["env"], ["status"]])
def test_commands_that_need_no_stack_use_none_of_its_settings(tmp_path, monkeypatch, command):
    layout = Layout.of(tmp_path / "data")
    layout.prepare()
    layout.write_state({"phase": "running", "env": ADDRESSES, "parts": []})
    monkeypatch.setenv("AUDITLANE_DATA_DIR", str(layout.root))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with layout.claim(os.getpid()):
        CliRunner().invoke(cli.app, command)
    assert "AUDITLANE_REGISTRY_URL" not in os.environ


def test_env_is_printed_for_a_role(tmp_path):
    layout = Layout.of(tmp_path)
    layout.prepare()
    made = Credentials.load_or_create(layout.credentials)
    layout.write_state({"env": ADDRESSES | account_variables(load(), made)})
    settings = load(data_dir=tmp_path)
    assert stack_environment.environment(settings)["AUDITLANE_CLICKHOUSE_PASSWORD"] == made.of("clickhouse", "init")
    worker = stack_environment.environment(settings, Role.WORKER)
    assert worker["AUDITLANE_CLICKHOUSE_USER"] == "worker"
    assert worker["AUDITLANE_CLICKHOUSE_PASSWORD"] == made.of("clickhouse", "worker")
    assert worker["AUDITLANE_REGISTRY_PASSWORD"] == made.of("registry")
    assert stack_environment.environment(settings, Role.ANALYST) == {
        "AUDITLANE_CLICKHOUSE_URL": ADDRESSES["AUDITLANE_CLICKHOUSE_URL"],
        "AUDITLANE_CLICKHOUSE_USER": "analyst",
        "AUDITLANE_CLICKHOUSE_PASSWORD": made.of("clickhouse", "analyst"),
    }


def test_env_of_a_stack_without_passwords_has_no_roles(tmp_path):
    layout = Layout.of(tmp_path)
    layout.prepare()
    layout.write_state({"env": ADDRESSES | account_variables(load(), None)})
    found = stack_environment.environment(load(data_dir=tmp_path), Role.WORKER)
    assert (found["AUDITLANE_CLICKHOUSE_USER"], found["AUDITLANE_CLICKHOUSE_PASSWORD"]) == ("default", "")
    assert not layout.credentials.exists()


def test_a_shell_with_the_stacks_variables_can_restart_it(made):
    """The stack starts its own services with the passwords in the data directory, and does not wait for external
    services.
    """
    env = ADDRESSES | account_variables(load(), made)
    loaded = load(**{name.removeprefix("AUDITLANE_").lower(): value for name, value in env.items()})
    settings = stack_variables.without_own_urls(loaded, {"env": env, "parts": []})
    assert settings.registry_url == ""
    assert account_variables(settings, made) == account_variables(load(), made)
    assert account_variables(settings, None) == account_variables(load(), None)
