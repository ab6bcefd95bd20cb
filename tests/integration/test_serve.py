"""Tests `auditlane serve` as a process with the real engine. Each tenant's events are visible only to that tenant's
users.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import urllib3

from auditlane.access.keys import KeysFile
from auditlane.access.permissions import VIEWER
from auditlane.access.signing import SigningKeys
from auditlane.access.tokens import Viewer, mint_viewer_token
from auditlane.runtime.settings import load
from auditlane.store.client import connect
from auditlane.store.migrate import migrate

NOW = datetime.now(UTC)
HTTP = urllib3.PoolManager(retries=False, timeout=30.0)
TENANTS = ("acme", "globex")


class Process:
    """An `auditlane serve` process with these variables. `ready` is the line that it printed when it was ready."""

    def __init__(self, variables: dict[str, str], *arguments: str) -> None:
        self.variables = variables
        self.process = subprocess.Popen(
            [sys.executable, "-m", "auditlane.cli", "serve", "--port", "0", "--roles", "query", *arguments],
            env=dict(os.environ) | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"serve did not start: {self.process.communicate(timeout=30)[1]}")
        self.ready = json.loads(line)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        if self.process.poll() is None:
            self.process.send_signal(how)
        _, logged = self.process.communicate(timeout=60)
        return self.process.returncode, logged

    def get(self, path: str, token: str = "", **headers: str) -> urllib3.BaseHTTPResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["authorization"] = f"Bearer {token}"
        return HTTP.request("GET", self.ready["url"] + path, headers=sent, redirect=False)


@pytest.fixture(scope="module")
def variables(clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Create this module's key files, and its database with three events per tenant.

    Returns the environment variables with which commands use them.
    """
    folder, database = tmp_path_factory.mktemp("serve"), f"t{uuid4().hex[:12]}"
    client = connect(load(clickhouse_url=clickhouse))
    migrate(client, database)
    topic_id = uuid4()
    rows: list[dict[str, Any]] = [
        {
            "tenant_id": tenant,
            "occurred_at": NOW - timedelta(minutes=number),
            "event_id": uuid4(),
            "action": f"{tenant}.did.{number}",
            "actor_id": f"someone@{tenant}",
            "actor_type": "user",
            "ingested_at": NOW,
            "kafka_topic": "audit.events",
            "kafka_topic_id": topic_id,
            "kafka_offset": offset * 10 + number,
            "kafka_timestamp": NOW,
        }
        for offset, tenant in enumerate(TENANTS)
        for number in range(3)
    ]
    names = list(rows[0])
    client.insert("events", [[row[name] for name in names] for row in rows], column_names=names, database=database)
    client.close()
    KeysFile.load_or_create(folder / "keys.json")
    return {
        "AUDITLANE_CLICKHOUSE_URL": clickhouse,
        "AUDITLANE_CLICKHOUSE_DATABASE": database,
        "AUDITLANE_KEYS_FILE": str(folder / "keys.json"),
        "AUDITLANE_SIGNING_KEYS_FILE": str(folder / "signing.json"),
    }


@pytest.fixture(scope="module")
def served(variables: dict[str, str]) -> Iterator[Process]:
    served = Process(variables)
    yield served
    code, logged = served.stop()
    assert code == 0, logged
    assert "Traceback" not in logged
    assert "code=" not in logged  # a link's code


@pytest.fixture
def keys(variables: dict[str, str]) -> KeysFile:
    return KeysFile(Path(variables["AUDITLANE_KEYS_FILE"]))


def viewer(variables: dict[str, str], tenant: str) -> str:
    signing = SigningKeys(Path(variables["AUDITLANE_SIGNING_KEYS_FILE"]))
    who = Viewer(tenant, "jane", VIEWER)
    return mint_viewer_token(signing, who, now=datetime.now(UTC), ttl=timedelta(hours=1)).text


def actions(response: urllib3.BaseHTTPResponse) -> list[str]:
    assert response.status == 200, response.data
    return [event["action"] for event in response.json()["data"]]


def test_the_service_is_ready(served):
    assert served.ready == {"ready": True, "part": "serve", "url": served.ready["url"], "pid": served.process.pid}
    response = served.get("/health/ready")
    assert response.status == 200, response.data
    assert {part["state"] for part in response.json()["parts"]} == {"up"}


def test_each_tenant_sees_its_own_events(served, variables):
    for tenant in TENANTS:
        token = viewer(variables, tenant)
        assert actions(served.get("/v1/events", token)) == [f"{tenant}.did.{number}" for number in range(3)]
        exported = served.get("/v1/export?format=jsonl&columns=tenant_id", token)
        assert exported.headers["auditlane-rows"] == "3"
        assert {json.loads(line)["tenant_id"] for line in exported.data.splitlines()} == {tenant}


def test_another_tenants_id_anywhere_finds_nothing(served, variables):
    mine, theirs = viewer(variables, "acme"), viewer(variables, "globex")
    event = served.get("/v1/events", theirs).json()["data"][0]
    assert served.get(f"/v1/events/{event['event_id']}", theirs).status == 200
    assert served.get(f"/v1/events/{event['event_id']}", mine).status == 404
    refused = served.get("/v1/events", mine, auditlane_tenant="globex")
    assert (refused.status, refused.json()["code"]) == (403, "TENANT_FORBIDDEN")
    for name in ("tenant", "tenant_id", "Auditlane-Tenant"):
        refused = served.get(f"/v1/events?{name}=globex", mine)
        assert (refused.status, refused.json()["code"]) == (400, "FILTER_INVALID")
        assert refused.json()["field"] == name
    cursor = served.get("/v1/events?limit=1", theirs).json()["next"]
    refused = served.get(f"/v1/events?limit=1&cursor={cursor}", mine)
    assert (refused.status, refused.json()["code"]) == (400, "CURSOR_INVALID")
    assert actions(served.get(f"/v1/events?event_id={event['event_id']}", mine)) == []


def test_a_client_of_the_environment_chooses_its_tenant(served, keys):
    issued = keys.create(roles=("vendor",), now=NOW)
    body = json.dumps({"client_id": issued.client.client_id, "secret": issued.secret})
    answer = HTTP.request(
        "POST", served.ready["url"] + "/v1/token", body=body, headers={"content-type": "application/json"}
    )
    token = answer.json()["access_token"]
    for tenant in TENANTS:
        assert len(actions(served.get("/v1/events", token, auditlane_tenant=tenant))) == 3
    assert actions(served.get("/v1/events", token, auditlane_tenant="nobody")) == []
    assert served.get("/v1/events", token).status == 400
    keys.revoke(issued.client.client_id, now=NOW)
    assert served.get("/v1/events", token, auditlane_tenant="acme").status == 401


def test_a_link_from_the_command_opens_the_page(served, variables):
    command = [sys.executable, "-m", "auditlane.cli", "token", "--tenant", "acme", "--link"]
    environment = dict(os.environ) | variables | {"AUDITLANE_SERVE_URL": served.ready["url"]}
    link = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    path = link.removeprefix(served.ready["url"])
    looked = served.get(path, accept="text/html")
    assert looked.status == 200
    assert "set-cookie" not in looked.headers
    entered = HTTP.request("POST", served.ready["url"] + path, redirect=False)
    assert entered.status == 303
    cookie = entered.headers["set-cookie"].partition(";")[0]
    assert entered.headers["location"] == "/"
    assert served.get("/", cookie=cookie, accept="text/html").status == 200
    page = served.get("/plain", cookie=cookie, accept="text/html")
    assert page.status == 200
    text = page.data.decode()
    assert "acme.did.0" in text
    assert "globex" not in text
    assert "<script" not in text
    assert "style=" not in text


def test_a_port_in_use_is_reported(variables):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(AssertionError, match="PORT_IN_USE") as caught:
            Process(variables, "--port", port)
    assert "--port" in str(caught.value)


def test_without_tables_the_error_names_the_command(variables):
    served = Process(variables | {"AUDITLANE_CLICKHOUSE_DATABASE": "nothing_here"})
    try:
        response = served.get("/health/ready")
        assert response.status == 503
        assert "auditlane init" in response.json()["parts"][0]["problem"]
        assert served.get("/health/live").status == 200
    finally:
        served.stop()


def test_ctrl_c_stops_it(variables):
    served = Process(variables)
    code, logged = served.stop(signal.SIGINT)
    assert code == 130, logged
    assert "Traceback" not in logged


SLOW = """
import asyncio, pathlib, sys
from fastapi import FastAPI
from auditlane.server.run import listen, run, url_of

app = FastAPI()

@app.get("/slow")
async def slow():
    pathlib.Path(sys.argv[1], "asked").touch()
    while not pathlib.Path(sys.argv[1], "go").exists():
        await asyncio.sleep(0.02)
    return "done"

bound = listen("127.0.0.1", 0)
run(app, bound, shutdown_timeout_s=60, on_ready=lambda: print(url_of(bound), flush=True))
"""


def test_a_running_request_is_finished_before_it_stops(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    host, port = url.removeprefix("http://").split(":")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(lambda: HTTP.request("GET", f"{url}/slow").json())
        until(lambda: (tmp_path / "asked").exists())
        process.send_signal(signal.SIGTERM)
        until(lambda: not listens(host, int(port)))
        assert not answer.done()
        (tmp_path / "go").touch()
        assert answer.result(30) == "done"
    process.communicate(timeout=30)
    assert process.returncode == 0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0
