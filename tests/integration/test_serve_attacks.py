"""Attacks an `auditlane serve` process with clients that have no credential."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psutil
import pytest
import urllib3
from serving import ServeProcess

from auditlane.server.run import allow_files

WRONG = "als_" + "A" * 43


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    allow_files(8_192)
    nowhere = {
        "clickhouse_url": "http://127.0.0.1:1",
        "kafka_bootstrap": "127.0.0.1:1",
        "registry_url": "http://127.0.0.1:1",
    }
    with ServeProcess(tmp_path_factory.mktemp("served"), roles="ingest,query", **nowhere) as process:
        yield process


def begun(serve: ServeProcess, path: str, length: int, body: bytes = b"", credential: str = "") -> socket.socket:
    """Begin a request, and never send the end of its body."""
    at = urlsplit(serve.url)
    connection = socket.create_connection((at.hostname or "", at.port or 0), 30)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    with suppress(OSError):  # the server may already have responded and closed the connection
        connection.sendall(f"{head}{credential}\r\n".encode() + body)
    return connection


def token(serve: ServeProcess, client_id: str, secret: str) -> urllib3.BaseHTTPResponse:
    body = {"client_id": client_id, "secret": secret}
    return urllib3.request("POST", serve.url + "/v1/token", json=body, retries=False, timeout=60)


def is_served(serve: ServeProcess) -> None:
    issued = serve.keys.create(roles=("vendor",), now=datetime.now(UTC))
    answer = token(serve, issued.client.client_id, issued.secret)
    assert answer.status == 200, answer.data
    headers = {"authorization": "Bearer " + answer.json()["access_token"]}
    minted = urllib3.request(
        "POST", serve.url + "/v1/viewer-tokens", json={"tenant": "acme", "user": "jane"}, headers=headers, retries=False
    )
    assert minted.status == 200, minted.data
    assert urllib3.request("GET", serve.url + "/v1/events", retries=False).status == 401  # the service responds
    assert urllib3.request("POST", serve.url + "/v1/events", json={}, retries=False).status == 401


@pytest.mark.parametrize("path", ["/v1/viewer-tokens", "/v1/events", "/v1/token", "/auth/vendor", "/enter"])
@pytest.mark.parametrize("credential", [False, True], ids=["nobody", "a tenant"])
def test_bodies_that_never_arrive(serve: ServeProcess, path: str, credential: bool) -> None:
    issued = serve.keys.create(roles=("vendor",), tenant="acme", now=datetime.now(UTC))
    theirs = token(serve, issued.client.client_id, issued.secret).json()["access_token"]
    header = f"Authorization: Bearer {theirs}\r\n" if credential else ""
    with ExitStack() as open_:
        for _ in range(300):
            open_.enter_context(begun(serve, path, 1_000, credential=header))
        is_served(serve)


@pytest.mark.parametrize("path", ["/v1/token", "/auth/vendor", "/v1/viewer-tokens", "/v1/events", "/v1/exports"])
def test_large_bodies_of_unauthenticated_clients_are_not_kept(serve: ServeProcess, path: str) -> None:
    process = psutil.Process(serve.process.pid)
    is_served(serve)
    before = process.memory_info().rss
    with ExitStack() as open_:
        for _ in range(400):
            open_.enter_context(begun(serve, path, 1 << 20, b"x" * 600_000))
        is_served(serve)
        assert process.memory_info().rss - before < 128 << 20  # of the 240 MB that were sent


def test_a_flood_of_wrong_secrets(serve: ServeProcess) -> None:
    issued = serve.keys.create(roles=("vendor",), now=datetime.now(UTC))
    ended, answers = threading.Event(), set()

    def guess(number: int) -> None:
        with urllib3.PoolManager(retries=False, timeout=60) as pool:
            while not ended.is_set():
                secret = WRONG if number % 2 else "x"
                body = json.dumps({"client_id": issued.client.client_id, "secret": secret})
                answer = pool.request(
                    "POST", serve.url + "/v1/token", body=body, headers={"content-type": "application/json"}
                )
                answers.add(answer.status)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):  # even for the client id whose secret is being guessed
            assert token(serve, issued.client.client_id, issued.secret).status == 200
            is_served(serve)
        while answers != {401, 429}:
            assert answers <= {401, 429}
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)
