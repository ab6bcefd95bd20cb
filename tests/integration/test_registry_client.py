"""Tests auditlane's registry client with real servers: errors and their fixes, TLS and credentials, and an unreachable
registry.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from fixtures import secured_registry
from fixtures.authority import Authority, authority
from fixtures.registry import RegistryProcess

from auditlane.contract.avro import base_schema
from auditlane.contract.registry import Registered, RegistryClient
from auditlane.contract.subjects import ensure_base_subject
from auditlane.local.doctor import registry as doctor
from auditlane.local.doctor.finding import Level
from auditlane.runtime.errors import (
    ConfigError,
    RegistryRefused,
    RegistryUnavailable,
    SchemaIncompatible,
    SchemaNotFound,
)
from auditlane.runtime.settings import load


def record(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": "R", "fields": list(fields)})


A = {"name": "a", "type": "string"}
B = {"name": "b", "type": "string"}


@pytest.fixture
def client(registry: str) -> Iterator[RegistryClient]:
    client = RegistryClient(registry)
    yield client
    client.close()


def test_every_method_of_the_client(client: RegistryClient, unique: str) -> None:
    subject = f"{unique}/with slash-value"
    first = client.register(subject, record(A))
    assert client.register(subject, record(A)) == first
    client.set_compatibility(subject, "NONE")
    second = client.register(subject, record(A, B))
    assert client.versions(subject) == [1, 2]
    assert client.version(subject, 1).schema_id == first
    latest = client.latest(subject)
    assert latest == Registered(subject, 2, second, latest.schema)
    assert json.loads(client.schema(second)) == json.loads(record(A, B))
    assert client.lookup(subject, record(A)) == client.version(subject, 1)
    assert client.lookup(subject, record(B)) is None
    assert client.lookup(f"{unique}-none", record(B)) is None
    assert subject in client.subjects()
    assert client.subjects_of(second) >= {subject}
    assert client.compatibility(subject) == "NONE"
    assert client.own_compatibility(f"{unique}-none") is None
    assert client.compatibility(f"{unique}-none") == "BACKWARD"


def test_missing_and_forbidden_objects(client: RegistryClient, unique: str) -> None:
    for missing in (
        lambda: client.schema(2_000_000_000),
        lambda: client.latest(unique),
        lambda: client.versions(unique),
        lambda: client.version(unique, 1),
        lambda: client.subjects_of(2_000_000_000),
    ):
        with pytest.raises(SchemaNotFound):
            missing()
    client.register(unique, record(A))
    assert client.check(unique, record(A)) == []
    assert any("has no default value" in reason for reason in client.check(unique, record(A, B)))
    with pytest.raises(SchemaIncompatible, match="has no default value"):
        client.register(unique, record(A, B))
    with pytest.raises(RegistryRefused, match="42201"):
        client.register(unique, "nonsense")


def test_a_schema_is_requested_once(own_registry: RegistryProcess) -> None:
    client = RegistryClient(own_registry.url)
    schema_id = client.register("s", '"string"')
    assert client.schema(schema_id) == '"string"'
    own_registry.end()
    assert client.schema(schema_id) == '"string"'
    with pytest.raises(RegistryUnavailable, match="does not respond") as away:
        client.schema(schema_id + 1)
    assert "AUDITLANE_REGISTRY_URL" in away.value.fix
    own_registry.start()  # the earlier kept-alive connection causes no error
    assert client.latest("s").schema_id == schema_id
    client.close()


def test_a_hanging_registry_counts_as_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = RegistryClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.2)
        with pytest.raises(RegistryUnavailable):
            client.subjects()
        client.close()


def test_a_user_and_a_token_together_are_refused() -> None:
    with pytest.raises(ConfigError):
        RegistryClient("http://127.0.0.1:1", user="u", password="p", token="t")


# The base subject


def test_the_base_subject_is_registered_once_and_never_changed(own_registry: RegistryProcess) -> None:
    client = RegistryClient(own_registry.url)
    reports: list[Any] = []
    threads = [
        threading.Thread(target=lambda: reports.append(ensure_base_subject(client, "audit.events"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(one.subject, one.version, one.schema_id, one.compatibility, one.drift) for one in reports} == {
        ("audit.events-value", 1, 1, "BACKWARD", ())
    }
    assert client.own_compatibility("audit.events-value") == "BACKWARD"
    again = ensure_base_subject(client, "audit.events")
    assert not again.created

    newer = base_schema()
    newer["fields"].append({"name": "later", "type": ["null", "string"], "default": None})
    client.register("audit.events-value", json.dumps(newer))
    extended = ensure_base_subject(client, "audit.events")  # the field that the environment has added
    assert (extended.version, extended.created, extended.drift) == (1, False, ())
    newer["fields"] = [one for one in newer["fields"] if one["name"] != "source"]
    client.register("audit.events-value", json.dumps(newer))
    ahead = ensure_base_subject(client, "audit.events")
    assert (ahead.version, ahead.created) == (1, False)
    incomplete = "The newest version 3 (id 3) of subject audit.events-value lacks base fields (source)"
    assert any(one.startswith(incomplete) for one in ahead.drift)
    assert any("emitters use version 2 (id 2)" in one for one in ahead.drift)
    client.set_compatibility("audit.events-value", "NONE")
    assert any("compatibility NONE" in one for one in ensure_base_subject(client, "audit.events").drift)
    client.close()
    [failed] = [one for one in doctor.check(load(registry_url=own_registry.url)) if one.level is Level.FAIL]
    assert "Subject audit.events-value has the compatibility NONE" in failed.message
    assert "PUT /config/audit.events-value" in failed.fix


@pytest.mark.parametrize(("foreign", "says"), [(False, "would be compatible"), (True, "would be incompatible")])
def test_another_schema_under_the_base_subject_is_drift(
    own_registry: RegistryProcess, foreign: bool, says: str
) -> None:
    client = RegistryClient(own_registry.url)
    older = base_schema()
    older["fields"] = older["fields"][:-1]
    client.register("t-value", record(A) if foreign else json.dumps(older))
    report = ensure_base_subject(client, "t")
    assert not report.created
    assert any(says in one for one in report.drift)
    assert client.versions("t-value") == [1]
    client.close()


# TLS and credentials


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[str, Authority]]:
    """Start a registry that requires HTTPS and credentials. Yields its URL and the authority that signed its
    certificate.
    """
    made = authority(tmp_path / "authority", "127.0.0.1")
    command = [sys.executable, secured_registry.__file__, str(made.ca.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("https://")
        yield url, made
        process.kill()


@pytest.mark.parametrize("credentials", [{"user": "u", "password": "pässword"}, {"token": "t0ken"}])
def test_the_client_uses_https_with_credentials(secured: tuple[str, Authority], credentials: dict[str, str]) -> None:
    url, made = secured
    client = RegistryClient(url, ca=str(made.ca), **credentials)
    assert client.register("s", '"string"') == 1
    assert client.schema(1) == '"string"'
    client.close()


def test_a_wrong_password_a_missing_permission_and_an_unknown_ca_have_a_fix(
    secured: tuple[str, Authority], tmp_path: Path
) -> None:
    url, made = secured

    def refusal(**options: Any) -> RegistryRefused | RegistryUnavailable:
        client = RegistryClient(url, timeout_s=5, **options)
        try:
            client.subjects()
        except (RegistryRefused, RegistryUnavailable) as error:
            return error
        finally:
            client.close()
        raise AssertionError("it was let in")

    for wrong in ({"user": "u", "password": "wrong"}, {"token": "wrong"}, {}):
        error = refusal(ca=made.ca, **wrong)
        assert isinstance(error, RegistryRefused)
        assert "401" in str(error)
        assert "AUDITLANE_REGISTRY_PASSWORD" in error.fix
        assert "wrong" not in str(error)
    forbidden = refusal(ca=made.ca, user="reader", password="r")
    assert "403" in str(forbidden)
    assert "permission" in forbidden.fix
    other = authority(tmp_path / "other", "127.0.0.1")
    for unknown in (None, other.ca):
        distrusted = refusal(ca=unknown, token="t0ken")
        assert isinstance(distrusted, RegistryUnavailable)
        assert "not trusted" in str(distrusted)
        assert "AUDITLANE_REGISTRY_CA" in distrusted.fix


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_invalid_ca_file_is_a_wrong_setting(tmp_path: Path, content: str | None) -> None:
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_text(content)
    with pytest.raises(ConfigError, match="AUDITLANE_REGISTRY_CA"):
        RegistryClient("https://127.0.0.1:1", ca=str(ca))


# Servers that are not registries


@pytest.fixture
def answering() -> Iterator[Callable[[int, bytes], str]]:
    """Provide `answering(status, body)`, which returns the URL of a server that always sends this response."""
    stops: list[Callable[[], object]] = []

    def start(status: int, body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        stops.extend((server.shutdown, thread.join, server.server_close))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for stop in stops:
        stop()


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (200, b"<html>", RegistryRefused, "does not respond like a schema registry"),
        (200, b'{"a": 1}', RegistryRefused, "does not respond like a schema registry"),
        (302, b"", RegistryRefused, "302"),
        (404, b"nothing here", RegistryRefused, "path"),
        (429, b"slower", RegistryUnavailable, "429"),
        (500, b'{"error_code":50001,"message":"disk"}', RegistryUnavailable, "50001: disk"),
        (503, b"", RegistryUnavailable, "503"),
    ],
)
def test_an_unexpected_response_counts_as_refused_or_unavailable(
    answering: Callable[[int, bytes], str], status: int, body: bytes, error: type[Exception], says: str
) -> None:
    client = RegistryClient(answering(status, body))
    with pytest.raises(error, match=says):
        client.subjects()
    client.close()
