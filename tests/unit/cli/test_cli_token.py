"""Tests `auditlane token --filter`, which creates a token with a base filter, or explains what is wrong with the
filter.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditlane.access.keys import KeysFile
from auditlane.access.signing import SigningKeys
from auditlane.access.tokens import authenticate
from auditlane.cli.token import command
from auditlane.runtime.errors import AuditlaneError


@pytest.fixture(autouse=True)
def signing_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "signing.json"
    SigningKeys.load_or_create(path)
    monkeypatch.setenv("AUDITLANE_SIGNING_KEYS_FILE", str(path))
    return path


def test_the_token_has_the_filter(signing_keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(tenant="acme", filters=["resource=document", "resource_id=a=b", "resource_id=doc-7"], as_json=True)
    token = json.loads(capsys.readouterr().out)["token"]
    keys, signing = KeysFile.load_or_create(tmp_path / "keys.json"), SigningKeys(signing_keys)
    found = authenticate(token, keys=keys, signing=signing, now=datetime.now(UTC))
    assert found.base_filter == (("resource", "document"), ("resource_id", "a=b"), ("resource_id", "doc-7"))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"filters": ["resource_id"]}, "--filter"),
        ({"filters": ["resource_id="]}, "filter.resource_id"),
        ({"filters": ["actoor=x"]}, "filter.actoor"),
        ({"filters": ["actor=x"], "permissions": ["configure"]}, "permissions"),
        ({"filters": ["actor=x"], "tenant": None, "console": True}, "--filter"),
    ],
)
def test_a_mistake_is_named_with_its_fix(given: dict[str, object], field: str) -> None:
    with pytest.raises(AuditlaneError) as error:
        command(**{"tenant": "acme", **given})  # type: ignore[arg-type]
    assert error.value.field == field
    assert error.value.fix
