"""Tests ClickHouse with TLS and accounts, and the errors for a wrong certificate, user or password."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.authority import Authority, authority
from fixtures.tls import Terminator

from auditlane.runtime import settings as settings_
from auditlane.runtime.errors import StoreRefused, StoreUnavailable
from auditlane.store.client import connect


@pytest.fixture
def secured(clickhouse: str, tmp_path: Path) -> Iterator[tuple[str, Authority]]:
    """Put the engine behind a TLS terminator. Yields its https URL, and the authority that signed the certificate."""
    made = authority(tmp_path / "authority", "127.0.0.1")
    with Terminator(made, clickhouse) as terminator:
        yield terminator.url, made


def test_https_with_a_ca(secured: tuple[str, Authority]) -> None:
    url, made = secured
    client = connect(settings_.load(clickhouse_url=url, clickhouse_ca=made.ca))
    assert client.query("SELECT 1 + 1").result_rows == [(2,)]
    client.close()


def test_a_certificate_of_an_unknown_authority_names_the_setting(secured: tuple[str, Authority]) -> None:
    with pytest.raises(StoreUnavailable, match="AUDITLANE_CLICKHOUSE_CA"):
        connect(settings_.load(clickhouse_url=secured[0]))


@pytest.mark.parametrize("account", [{"clickhouse_user": "nobody"}, {"clickhouse_password": "wrong"}])
def test_a_wrong_account_names_the_settings(clickhouse: str, account: dict[str, str]) -> None:
    with pytest.raises(StoreRefused, match="AUDITLANE_CLICKHOUSE_USER") as caught:
        connect(settings_.load(clickhouse_url=clickhouse, **account))
    assert "wrong" not in str(caught.value)
