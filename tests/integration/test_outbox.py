"""Tests the transactional outbox on real databases. An event is stored if, and only if, its transaction was
committed.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures.stack import AUDITLANE, Stack, until
from outbox_app import ACTION, engine_of, tables
from sqlalchemy import Engine, MetaData, select

from auditlane.outbox.sqlalchemy import Outbox
from auditlane.runtime.errors import ConfigError, InvalidEvent
from auditlane.sdk import AuditClient

SUPPORT = Path(__file__).parents[1] / "support"
APP, DJANGO = SUPPORT / "outbox_app.py", SUPPORT / "outbox_django.py"


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Provide the URL of each kind of database in turn. Skips the test if the database server is not installed."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'app.db'}?timeout=60"
    return str(request.getfixturevalue(request.param))


class Service:
    """A service and its relays, which share a database and are killed at random."""

    def __init__(self, stack: Stack, url: str, tenant: str, seed: int) -> None:
        self.stack, self.url, self.tenant = stack, url, tenant
        self.random = random.Random(seed)
        self.env = stack.env | {"AUDITLANE_OUTBOX_URL": url, "AUDITLANE_OUTBOX_BATCH": "20"}
        self.engine: Engine = engine_of(url)
        self.orders, self.outbox, metadata = tables()
        metadata.drop_all(self.engine)
        metadata.create_all(self.engine)
        self.relays: list[subprocess.Popen[str]] = []

    def run(self, transactions: int, kills: int, relays: int, *options: str) -> None:
        """Run transactions in one process after another. After each of them, kill the process or a relay."""
        each = transactions // kills
        for seed in range(kills):
            self.relays = [relay for relay in self.relays if relay.poll() is None]
            while len(self.relays) < relays:
                command = [*AUDITLANE, "outbox", "relay", "--port", "0", *options]
                quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "text": True}
                self.relays.append(subprocess.Popen(command, env=self.env, **quiet))
            self.transact(seed, each)
            victim = self.random.choice(self.relays)
            victim.kill()
            victim.wait()

    def transact(self, seed: int, number: int) -> None:
        """Run transactions, and kill their process at a random point after about half of them."""
        enough = len(self.committed()) + self.random.randint(number // 3, number // 2)
        command = [sys.executable, str(APP), self.url, self.tenant, str(seed), str(2 * number)]
        app = subprocess.Popen(command, env=self.env)
        until(lambda: len(self.committed()) >= enough or app.poll() is not None, 60, "transactions")
        app.kill()
        app.wait()

    def committed(self) -> set[str]:
        with self.engine.connect() as connection:
            return {*connection.scalars(select(self.orders.c.number))}

    def finish(self) -> None:
        """Stop the relays with SIGTERM, and send the remaining rows."""
        for relay in self.relays:
            relay.terminate()
            assert relay.wait(60) in (0, -9)
        done = self.stack.run("outbox", "relay", "--once", "--json", "--url", self.url)
        assert json.loads(done.stdout)["problem"] == ""
        status = self.stack.run("outbox", "status", "--json", "--url", self.url)
        assert json.loads(status.stdout) == {"waiting": 0, "oldest_s": 0, "set_aside": 0, "rows": []}

    def close(self) -> None:
        for relay in self.relays:
            if relay.poll() is None:
                relay.kill()
                relay.wait()
        self.engine.dispose()

    def stored(self) -> list[str]:
        query = f"SELECT resource_id FROM audit.log WHERE tenant_id = '{self.tenant}' AND action = '{ACTION}'"
        return [row[0] for row in self.stack.client.query(query).result_rows]


def check(service: Service) -> None:
    committed = service.committed()
    assert committed
    until(lambda: committed <= {*service.stored()}, 60, "every committed transaction's event")
    assert sorted(service.stored()) == sorted(committed)  # no duplicates, and none of a rolled-back transaction


def test_events_are_the_committed_transactions(stack: Stack, url: str, unique: str) -> None:
    service = Service(stack, url, unique, seed=1)
    try:
        service.run(120, 3, relays=1 if url.startswith("sqlite") else 2)
        service.finish()
        check(service)
    finally:
        service.close()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("options", [(), ("--ordered",)], ids=["any order", "ordered"])
def test_events_are_the_committed_transactions_of_a_thousand(
    stack: Stack, url: str, unique: str, options: tuple[str, ...]
) -> None:
    service = Service(stack, url, unique, seed=2)
    try:
        service.run(3_000, 25, 1 if url.startswith("sqlite") else 2, *options)
        service.finish()
        check(service)
        assert len(service.committed()) >= 1_000
    finally:
        service.close()


def test_an_event_that_its_contract_rejects_is_set_aside_until_it_is_retried(
    stack: Stack, unique: str, tmp_path: Path
) -> None:
    """Without a cached contract, the transaction does not know the rules, so only the relay detects the violation."""
    service = Service(stack, f"sqlite:///{tmp_path / 'app.db'}", unique, seed=3)
    try:
        with AuditClient(registry_url="http://127.0.0.1:1", kafka_bootstrap="127.0.0.1:1") as client:
            outbox = Outbox(MetaData(), client=client)
            with service.engine.begin() as connection:
                with pytest.raises(InvalidEvent, match="outcome"):
                    outbox.emit(connection, tenant_id=unique, action=ACTION, outcome="perhaps")
                rejected = outbox.emit(connection, tenant_id=unique, action=ACTION, project="moon")
                outbox.emit(connection, tenant_id=unique, action=ACTION, resource_id="good")
            with pytest.raises(ConfigError, match="AUTOCOMMIT"):
                outbox.emit(service.engine.connect().execution_options(isolation_level="AUTOCOMMIT"), action=ACTION)
        done = stack.run("outbox", "relay", "--once", "--json", "--url", service.url, check=False)
        assert (done.returncode, json.loads(done.stdout)["sent"]) == (1, 1)
        status = stack.run("outbox", "status", "--json", "--url", service.url, check=False)
        [row] = json.loads(status.stdout)["rows"]
        assert (status.returncode, row["id"]) == (1, rejected)
        assert "project is neither a base field nor a field" in row["problem"]
        fields = ("add-field", "project", "--type", "string", "--tenant", unique)
        stack.run("structure", *fields)
        assert stack.run("outbox", "retry", "--url", service.url).stdout == "1 event waiting again.\n"
        again = stack.run("outbox", "relay", "--once", "--json", "--url", service.url)
        assert json.loads(again.stdout) == {"sent": 1, "set_aside": 0, "problem": ""}
        until(lambda: len(service.stored()) == 2, 60, "both events")
    finally:
        service.close()


def test_rows_wait_while_kafka_is_away(stack: Stack, unique: str, tmp_path: Path) -> None:
    service = Service(stack, f"sqlite:///{tmp_path / 'app.db'}", unique, seed=4)
    try:
        service.transact(0, 10)
        away = service.env | {"AUDITLANE_KAFKA_BOOTSTRAP": "127.0.0.1:1", "AUDITLANE_DELIVERY_TIMEOUT_MS": "1000"}
        command = [*AUDITLANE, "outbox", "relay", "--once"]
        done = subprocess.run(command, env=away, capture_output=True, text=True, check=False)
        assert done.returncode == 6, done.stderr
        assert "not reachable" in done.stderr
        waiting = json.loads(stack.run("outbox", "status", "--json", "--url", service.url).stdout)
        assert waiting["waiting"] == len(service.committed())
        service.finish()
        check(service)
    finally:
        service.close()


def test_django_writes_events_in_its_transactions(stack: Stack, unique: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'django.db'}"
    env = stack.env | {"OUTBOX_DATABASE": str(tmp_path / "django.db"), "OUTBOX_TENANT": unique}
    made = subprocess.run([sys.executable, str(DJANGO)], env=env, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout) == {"outside": "CONFIG_INVALID", "rows": 2, "migrations": ""}
    done = stack.run("outbox", "relay", "--once", "--json", "--url", url)
    assert json.loads(done.stdout) == {"sent": 2, "set_aside": 0, "problem": ""}
    query = f"SELECT resource_id FROM audit.log WHERE tenant_id = '{unique}' ORDER BY resource_id"
    until(lambda: stack.client.query(query).result_rows == [("kept",), ("second",)], 60, "the committed events")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "AUDITLANE_OUTBOX_URL is not set"),
        (["--url", "nonsense"], "AUDITLANE_OUTBOX_URL is not a SQLAlchemy URL"),
        (["--url", "postgresql+psycopg://app:secret@127.0.0.1:1/app"], "The outbox's database cannot be read"),
        (["--url", "sqlite://"], "The database has no table auditlane_outbox"),
        (["--url", "oracle+oracledb://app@localhost/app"], "not installed"),
    ],
)
def test_a_wrong_database_is_explained(options: list[str], sentence: str) -> None:
    done = subprocess.run([*AUDITLANE, "outbox", "status", *options], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert sentence in " ".join(done.stderr.split())
    assert "secret" not in done.stderr
