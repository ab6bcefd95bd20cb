"""Tests access to the embedded registry. Users need a password, and requests that come from foreign pages or use
foreign host names are rejected.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import urllib3
from fixtures.registry import RegistryProcess

from auditlane.contract.registry import RegistryClient
from auditlane.local.registry import __main__ as registry
from auditlane.runtime.errors import ConfigError, RegistryRefused, exit_code

USER, PASSWORD = "auditlane", "päss:word"
SCHEMA = json.dumps({"type": "string"})


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryProcess]:
    folder = tmp_path_factory.mktemp("guarded")
    users = folder / "users.json"
    users.write_text(json.dumps({USER: PASSWORD, "other": "else"}))
    made = RegistryProcess(folder / "registry", extra=("--users", str(users))).start()
    yield made
    made.end()


def ask(url: str, method: str = "GET", path: str = "/subjects", **headers: str) -> urllib3.BaseHTTPResponse:
    body = json.dumps({"schema": SCHEMA}).encode() if method == "POST" else None
    return urllib3.request(method, url + path, headers=headers, body=body, retries=False)


def test_a_known_password_is_accepted(guarded: RegistryProcess) -> None:
    with closing(RegistryClient(guarded.url, user=USER, password=PASSWORD)) as client:
        assert client.register("known", SCHEMA)
    assert ask(guarded.url, Authorization=basic("other", "else")).status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic !",
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        "Bearer " + PASSWORD.encode().hex(),
        basic("", ""),
        basic(USER, ""),
        basic(USER, PASSWORD[:-1]),
        basic(USER, "else"),
        basic("nobody", PASSWORD),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/subjects"),
        ("GET", "/nothing"),
        ("POST", "/subjects/stolen/versions"),
        ("DELETE", "/subjects/known"),
        ("PUT", "/mode"),
        ("OPTIONS", "/subjects"),
    ],
)
def test_other_credentials_are_rejected(
    guarded: RegistryProcess, authorization: str | None, method: str, path: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = ask(guarded.url, method, path, **headers)
    assert (answer.status, answer.headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
    assert answer.json() == {"error_code": 401, "message": "User and password are missing or wrong"}


def test_our_client_names_the_settings(guarded: RegistryProcess) -> None:
    with (
        closing(RegistryClient(guarded.url, user=USER, password="s3cret")) as client,
        pytest.raises(RegistryRefused, match="AUDITLANE_REGISTRY_PASSWORD") as caught,
    ):
        client.subjects()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "127.0.0.1.evil.example"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_requests_from_foreign_pages_and_names_are_rejected(
    guarded: RegistryProcess, own_registry: RegistryProcess, headers: dict[str, str], method: str
) -> None:
    """They are rejected even with the correct password, and even on routes that do not require one."""
    for url, known in ((guarded.url, {"Authorization": basic(USER, PASSWORD)}), (own_registry.url, {})):
        path = (
            "/subjects/evil/versions" if method == "POST" else "/subjects/evil" if method == "DELETE" else "/subjects"
        )
        assert ask(url, method, path, **headers, **known).status == 403
        assert "evil" not in ask(url, **known).json()


def test_a_local_page_and_name_are_not_foreign(own_registry: RegistryProcess) -> None:
    port = own_registry.url.rpartition(":")[2]
    for name in (f"localhost:{port}", f"127.0.0.1:{port}"):
        assert ask(own_registry.url, Host=name, Origin=f"http://{name}").status == 200


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"auditlane": ""}', '{"auditlane": 1}', '"x"'])
def test_an_unreadable_password_file_prevents_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    monkeypatch.setattr(registry, "private", lambda: None)  # its umask would affect all later tests
    users = tmp_path / "users.json"
    if text is not None:
        users.write_text(text)
    code = registry.main(["--data", str(tmp_path / "registry"), "--users", str(users)])
    assert code == exit_code(ConfigError)
    assert str(users) in capsys.readouterr().err
