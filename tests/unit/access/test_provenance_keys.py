"""Tests the keys that sign provenance. They are created once, still verify old signatures after a rotation, and are
separate from the token keys.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditlane.access.keys import KeysFile
from auditlane.access.provenance_keys import ProvenanceKeys, path_of
from auditlane.access.signing import SigningKeys
from auditlane.contract.provenance import Claim, is_ours, verify
from auditlane.runtime.errors import ConfigError, InvalidInput
from auditlane.runtime.settings import load

NOW = timedelta(0)
MESSAGE = (b"acme", b"value")


def keys(folder: Path) -> ProvenanceKeys:
    return ProvenanceKeys.load_or_create(folder / "provenance-keys.json")


def test_serve_and_a_worker_share_the_file_and_read_it_again(tmp_path: Path) -> None:
    serve, worker = keys(tmp_path), keys(tmp_path)
    assert serve.key_ids == worker.key_ids
    sign = serve.lasting_signer("billing")
    assert verify(worker.secrets(), sign(*MESSAGE)[1], *MESSAGE) == Claim("billing")
    serve.rotate(now=datetime.now(UTC), overlap=None, spread=NOW)
    header = sign(*MESSAGE)[1]
    assert verify(worker.secrets(), header, *MESSAGE) == Claim("billing")
    assert header.split(b";")[1].decode() == worker.key_ids[-1]


def test_signatures_of_an_earlier_key_verify_until_it_is_retired(tmp_path: Path) -> None:
    made = keys(tmp_path)
    header = made.signer("billing", ["source"])(*MESSAGE)[1]
    made.rotate(now=datetime.now(UTC), overlap=None, spread=NOW)
    assert verify(made.secrets(), header, *MESSAGE) == Claim("billing", ("source",))
    made.rotate(now=datetime.now(UTC), overlap=timedelta(0), spread=NOW)
    assert verify(made.secrets(), header, *MESSAGE) is None


def test_a_key_that_workers_may_not_have_yet_does_not_sign(tmp_path: Path) -> None:
    made = keys(tmp_path)
    [first] = made.key_ids
    made.rotate(now=datetime.now(UTC), overlap=None)
    assert len(made.key_ids) == 2
    assert made.signer("billing")(*MESSAGE)[1].split(b";")[1].decode() == first


def test_the_file_is_beside_the_signing_keys_by_default(tmp_path: Path) -> None:
    assert path_of(load()) is None
    beside = load(signing_keys_file=tmp_path / "signing-keys.json")
    assert path_of(beside) == tmp_path / "provenance-keys.json"
    assert path_of(load(provenance_keys_file=tmp_path / "p.json")) == tmp_path / "p.json"


def test_a_token_key_does_not_sign_provenance_even_from_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    signing, made = SigningKeys.load_or_create(path), ProvenanceKeys(path)
    mac = signing.mac("provenance", b"value")
    assert mac not in made.secrets().values()


def test_a_missing_or_a_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json"):
        ProvenanceKeys(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"broken\.json is not valid"):
        ProvenanceKeys(tmp_path / "broken.json")


@pytest.mark.parametrize("name", ["auditlane", "Auditlane", "AUDITLANE"])
def test_a_client_cannot_have_the_services_name(tmp_path: Path, name: str) -> None:
    made = KeysFile.load_or_create(tmp_path / "keys.json")
    with pytest.raises(InvalidInput, match="reserved") as refused:
        made.create(roles=("writer",), now=datetime.now(UTC), client_id=name)
    assert refused.value.field == "client_id"
    made.create(roles=("writer",), now=datetime.now(UTC), client_id="auditlane-importer")


@pytest.mark.parametrize(
    "name",
    [
        "auditlane",
        " auditlane",
        "Auditlane\t",
        "AUDIT LANE",
        "audit\u200blane",
        "ａｕｄｉｔｌａｎｅ",
        "auditlane\0",
        "auditlane\ufe0f",
        "audit\u034flane",
        "auditlane\u180b",
        "auditlane\U000e0100",
        "auditlane\u3164",
        "auditlane\u2800",
        "audit\u115flane",
        "\u0430uditlane",
        "audi\u0442lane",
        "aud\u0131tlane",
        "auditIane",
        "aud1tlane",
        "auditl\u00e1ne",
    ],
)
def test_names_that_resemble_the_services_are_reserved(name: str) -> None:
    assert is_ours(name)


@pytest.mark.parametrize(
    "name",
    ["", "audit", "auditlane-importer", "my auditlane", "billing", "\u0430\u0443\u0434\u0438\u0442", "auditplane"],
)
def test_other_names_are_allowed(name: str) -> None:
    assert not is_ours(name)
