"""Tests the keys file: verifying secrets, concurrent edits, changes without a restart, and broken files."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest

from auditlane.access import keys as keys_module
from auditlane.access.keys import KeysFile
from auditlane.access.permissions import Permission
from auditlane.runtime.errors import ConfigError, Conflict, InvalidInput, NotFound, Unauthenticated

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "keys.json"


@pytest.fixture
def keys(path: Path) -> KeysFile:
    return KeysFile.load_or_create(path)


@pytest.fixture
def hashed(monkeypatch) -> list[str]:
    """Record each secret that is hashed."""
    secrets: list[str] = []
    hash_ = keys_module._hash
    monkeypatch.setattr(keys_module, "_hash", lambda secret: secrets.append(secret) or hash_(secret))
    return secrets


def test_a_key_verifies_with_its_secret_only(keys, path):
    issued = keys.create(roles=("vendor",), now=NOW, name="backend")
    two = keys.create(roles=("auditor",), tenant="acme", now=NOW)
    assert keys.verify(issued.client.client_id, issued.secret, now=NOW).permissions >= {
        Permission.read,
        Permission.write,
    }
    assert keys.verify(two.client.client_id, two.secret, now=NOW).tenant == "acme"
    for client_id, secret in [
        (issued.client.client_id, two.secret),
        (issued.client.client_id, ""),
        (issued.client.client_id, issued.secret + " "),
        (issued.client.client_id, "\ud800"),
        ("nobody", issued.secret),
        ("", ""),
    ]:
        with pytest.raises(Unauthenticated, match="client id or the secret is wrong"):
            keys.verify(client_id, secret, now=NOW)
    text = path.read_text()
    assert issued.secret not in text
    assert two.secret not in text


def test_a_malformed_secret_is_not_hashed(keys, hashed):
    issued = keys.create(roles=("writer",), now=NOW)
    hashed.clear()
    for secret in ("", "x", "als_wrong", issued.secret[:-1], issued.secret + "A", "ALS_" + issued.secret[4:], "é" * 47):
        with pytest.raises(Unauthenticated):
            keys.verify(issued.client.client_id, secret, now=NOW)
    assert not hashed


def test_every_client_id_costs_the_same_work(keys, hashed, monkeypatch):
    compared: list[str] = []
    compare = keys_module.hmac.compare_digest
    monkeypatch.setattr(keys_module.hmac, "compare_digest", lambda a, b: compared.append(b) or compare(a, b))
    ids = {state: keys.create(roles=("writer",), now=NOW).client.client_id for state in ("known", "rotated", "revoked")}
    ids["expired"] = keys.create(roles=("writer",), now=NOW, expires=NOW + timedelta(days=1)).client.client_id
    keys.rotate(ids["rotated"], now=NOW, overlap=timedelta(days=3))
    keys.revoke(ids["revoked"], now=NOW)
    ids["unknown"] = "nobody"
    spent = {}
    for state, client_id in ids.items():
        hashed.clear()
        compared.clear()
        with pytest.raises(Unauthenticated, match="client id or the secret is wrong"):
            keys.verify(client_id, "als_" + "A" * 43, now=NOW + timedelta(days=2))
        spent[state] = (len(hashed), len(compared))
    assert spent == dict.fromkeys(ids, (1, 2))


def test_the_keys_file_is_readable_by_its_owner_only(keys, path):
    keys.create(roles=("writer",), now=NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == [".keys.json.lock", "keys.json"]


def test_expired_and_revoked_keys_do_not_verify(keys):
    issued = keys.create(roles=("writer",), now=NOW, expires=NOW + timedelta(days=1))
    client_id = issued.client.client_id
    keys.verify(client_id, issued.secret, now=NOW + timedelta(hours=23))
    with pytest.raises(Unauthenticated, match="expired"):
        keys.verify(client_id, issued.secret, now=NOW + timedelta(days=1))
    assert keys.revoke(client_id, now=NOW).revoked == NOW
    assert keys.revoke(client_id, now=NOW + timedelta(days=1)).revoked == NOW
    with pytest.raises(Unauthenticated, match="revoked"):
        keys.verify(client_id, issued.secret, now=NOW)
    with pytest.raises(Conflict):
        keys.rotate(client_id, now=NOW, overlap=timedelta(0))
    for act in (lambda: keys.revoke("nobody", now=NOW), lambda: keys.rotate("nobody", now=NOW, overlap=timedelta(0))):
        with pytest.raises(NotFound):
            act()


def test_a_new_secret_overlaps_with_the_old_one(keys):
    first = keys.create(roles=("writer",), now=NOW)
    client_id = first.client.client_id
    second = keys.rotate(client_id, now=NOW, overlap=timedelta(hours=1))
    for secret in (first.secret, second.secret):
        keys.verify(client_id, secret, now=NOW + timedelta(minutes=59))
    later = NOW + timedelta(hours=1)
    keys.verify(client_id, second.secret, now=later)
    with pytest.raises(Unauthenticated):
        keys.verify(client_id, first.secret, now=later)
    third = keys.rotate(client_id, now=later, overlap=timedelta(hours=1))
    assert len(third.client.secrets) == 2  # the first one has been removed


def test_an_invalid_key_is_rejected(keys):
    with pytest.raises(InvalidInput, match="unknown role 'god'"):
        keys.create(roles=("god",), now=NOW)
    with pytest.raises(InvalidInput, match="roles"):
        keys.create(roles=(), now=NOW)
    with pytest.raises(InvalidInput, match="tenant"):
        keys.create(roles=("writer",), tenant="", now=NOW)
    for client_id in ("a:b", "a b", " a", "a\n", "ä", "x" * 129):
        with pytest.raises(InvalidInput, match="client_id: must be"):
            keys.create(roles=("writer",), client_id=client_id, now=NOW)
    keys.create(roles=("writer",), client_id="mine", now=NOW)
    with pytest.raises(Conflict):
        keys.create(roles=("writer",), client_id="mine", now=NOW)
    assert [client.client_id for client in keys.clients()] == ["mine"]


def test_changes_by_another_process_are_read(keys, path):
    assert keys.clients() == ()
    issued = KeysFile(path).create(roles=("writer",), now=NOW)
    assert keys.verify(issued.client.client_id, issued.secret, now=NOW)
    KeysFile(path).revoke(issued.client.client_id, now=NOW)
    with pytest.raises(Unauthenticated):
        keys.verify(issued.client.client_id, issued.secret, now=NOW)


def test_a_mounted_secret_is_read_again_when_its_symlink_changes(tmp_path):
    for version in ("one", "two"):
        KeysFile.load_or_create(tmp_path / version / "keys.json").create(roles=("writer",), client_id=version, now=NOW)
    link = tmp_path / "data"
    link.symlink_to(tmp_path / "one")
    keys = KeysFile(link / "keys.json")
    assert keys.find("one")
    (tmp_path / "new").symlink_to(tmp_path / "two")
    (tmp_path / "new").replace(link)
    assert keys.find("two")
    assert not keys.find("one")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", "line 1 column 1"),
        ('{"clients": [{"client_id": "a"}]}', r"clients\[0\].roles"),
        ('{"clients": [], "cleints": []}', "cleints"),
        ('{"version": 2}', "version"),
        ("", "keys.json"),
    ],
)
def test_a_broken_file_is_reported_with_its_position_and_the_last_valid_one_is_used(keys, path, text, place):
    issued = keys.create(roles=("writer",), now=NOW)
    assert keys.verify(issued.client.client_id, issued.secret, now=NOW)
    good = path.read_text()
    path.write_text(text)
    assert keys.problem
    assert keys.verify(issued.client.client_id, issued.secret, now=NOW)
    with pytest.raises(ConfigError, match=place):
        KeysFile(path)
    with pytest.raises(ConfigError):  # An operator may be repairing the broken file, so it is not overwritten.
        keys.create(roles=("writer",), now=NOW)
    assert path.read_text() == text
    path.write_text(good)
    assert keys.problem == ""
    assert keys.find(issued.client.client_id)


def test_a_file_that_is_missing_for_a_while_is_read_again(keys, path):
    keys.create(roles=("writer",), client_id="mine", now=NOW)
    assert keys.find("mine")
    path.rename(path.with_name("away"))
    assert keys.find("mine")
    assert "No such file" in keys.problem
    path.with_name("away").rename(path)
    assert keys.find("mine")
    assert keys.problem == ""


def test_an_unknown_role_and_a_duplicate_id_are_named(keys, path):
    keys.create(roles=("writer",), client_id="mine", now=NOW)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"clients": content["clients"] * 2}))
    with pytest.raises(ConfigError, match="client_id 'mine'"):
        KeysFile(path)
    content["clients"][0]["roles"] = ["wirter"]
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"clients\[0\].roles: unknown role 'wirter'; use some of: writer"):
        KeysFile(path)


def test_a_missing_keys_file_is_a_configuration_error(path):
    with pytest.raises(ConfigError, match=r"Cannot use .*keys\.json: No such file"):
        KeysFile(path)


def test_an_unwritable_path_is_a_configuration_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Check the path"):
        KeysFile.load_or_create(tmp_path / "file" / "keys.json")


def test_a_full_disk_leaves_the_file_unchanged(keys, path, monkeypatch):
    keys.create(roles=("writer",), client_id="mine", now=NOW)
    before = path.read_text()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        keys.create(roles=("writer",), now=NOW)
    assert path.read_text() == before
    assert sorted(one.name for one in path.parent.iterdir()) == [".keys.json.lock", "keys.json"]


def add(path: Path, number: int) -> str:
    return KeysFile.load_or_create(path).create(roles=("writer",), client_id=f"c{number}", now=NOW).client.client_id


def test_many_processes_and_threads_lose_no_key(path):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes, ThreadPoolExecutor(4) as threads:
        made = [processes.submit(add, path, number) for number in range(6)]
        made += [threads.submit(add, path, number) for number in range(6, 12)]
        ids = {one.result() for one in made}
    assert {client.client_id for client in KeysFile(path).clients()} == ids
    assert len(ids) == 12
