"""ClickHouse with TLS and accounts: the errors for a wrong certificate, user or password."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fixtures.authority import Authority, authority

from auditlane.runtime import settings as settings_
from auditlane.runtime.errors import StoreRefused, StoreUnavailable
from auditlane.store.client import connect


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for connection in (source, target):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, tls: ssl.SSLContext, backend: tuple[str, int]) -> None:
    with suppress(OSError):
        while True:
            raw, _ = listening.accept()
            threading.Thread(target=_connection, args=(raw, tls, backend)).start()


def _connection(raw: socket.socket, tls: ssl.SSLContext, backend: tuple[str, int]) -> None:
    with (
        raw,
        suppress(OSError),
        tls.wrap_socket(raw, server_side=True) as client,
        socket.create_connection(backend) as to,
    ):
        back = threading.Thread(target=_pump, args=(to, client))
        back.start()
        _pump(client, to)
        back.join()


@pytest.fixture
def secured(clickhouse: str, tmp_path: Path) -> Iterator[tuple[str, Authority]]:
    """Put the engine behind a TLS terminator. Yield its https URL and the authority that signed the certificate."""
    made = authority(tmp_path / "authority", "127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.certificate, made.key)
    url = urlsplit(clickhouse)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=_serve, args=(listening, tls, (url.hostname, url.port)))
    serving.start()
    yield f"https://127.0.0.1:{listening.getsockname()[1]}", made
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    serving.join()


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
