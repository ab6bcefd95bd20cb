"""Tests `auditlane doctor --security` on a hardened installation: unchanged, and with one weakness at a time.

Findings about the test machine are ignored. They concern its disks, and the addresses of other tests' processes.
`tests/fault/test_stack_up.py` covers the findings for an embedded stack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import urllib3
from confluent_kafka import Producer
from fixtures.hardened import Hardened, SecuredStore, account
from fixtures.workers import wait_until
from serving import Served

from auditlane.access.audit import AuditRecord
from auditlane.access.keys import KeysFile
from auditlane.contract.acls import Allowed
from auditlane.contract.dead_letter import Letter
from auditlane.local import ports
from auditlane.observe.observer import Observer
from auditlane.observe.security.findings import Severity
from auditlane.operations.dlq.handling import close_letters
from auditlane.operations.dlq.handling import sender as sender_of_resolutions
from auditlane.operations.dlq.index import Selection
from auditlane.operations.dlq.topic import LetterTopic
from auditlane.runtime.settings import load

pytestmark = pytest.mark.long

OF_THE_MACHINE = re.compile("disk-.*|.*-on-network")
# A single broker or ClickHouse server keeps only one copy, every ClickHouse has an administrator, and ACLs always list
# writers.
EXPECTED = {
    "topic-without-replicas": Severity.medium,
    "clickhouse-other-readers": Severity.low,
    "kafka-event-writers": Severity.info,
    "clickhouse-one-copy": Severity.info,
}


def examined(hardened: Hardened, **changes: Any) -> dict[str, Severity]:
    """Run the security check as an operator. Returns the severity of each finding by code, except for findings about
    this machine.

    Asserts that no check was skipped, that each finding has a fix, and that the exit code matches the findings.
    """
    code, text = hardened.run("init", "doctor", "--security", **changes)
    report = json.loads(text)
    assert report["not_made"] == []
    assert all(one["fix"].strip() for one in report["findings"])
    severities = {one["code"]: Severity(one["severity"]) for one in report["findings"]}
    assert code == (7 if {Severity.critical, Severity.high} & set(severities.values()) else 0)
    return {one: severity for one, severity in severities.items() if not OF_THE_MACHINE.fullmatch(one)}


def added(hardened: Hardened, **changes: Any) -> set[str]:
    """Return the codes that a weakness adds to the expected ones. Fails if an expected code is missing."""
    codes = set(examined(hardened, **changes))
    assert set(EXPECTED) - codes <= {"kafka-event-writers"}  # "everyone" replaces the list of writers
    return codes - set(EXPECTED)


def test_a_hardened_installation_has_only_findings_about_its_size_and_its_people(hardened: Hardened) -> None:
    assert examined(hardened) == EXPECTED


class Dropped:
    """A sink that discards what the observer records."""

    def record(self, record: AuditRecord) -> None: ...


def test_the_documented_accounts_suffice_for_every_component(
    hardened: Hardened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are emitted, rejected, stored, read, observed and examined with the installation's ACLs, roles and
    certificates.
    """
    monkeypatch.setenv("SSL_CERT_FILE", str(hardened.made.ca))
    worker = hardened.worker()
    worker.ready()
    given = hardened.settings("serve", security_check_every_h=24)
    del given["signing_keys_file"]  # `Served` uses the same file
    with structlog.testing.capture_logs() as lines, Served(hardened.folder, **given) as served:
        hardened.proxy.backend = served.url
        sender = {"authorization": f"Bearer {served.client_token('vendor')}", "auditlane-tenant": "acme"}
        reader = {"authorization": f"Bearer {served.viewer_token('acme')}"}

        def ask(method: str, status: int, who: dict[str, str], body: Any = None) -> Any:
            url = f"{hardened.proxy.url}/v1/events"
            answer = urllib3.request(method, url, json=body, headers=who, retries=False)
            assert answer.status == status, answer.data
            return answer.json()

        observer = Observer(load(**hardened.settings("serve")), Dropped())
        observer.turn(datetime.now(UTC))
        ask("POST", 202, sender, {"action": "user.login", "actor_id": "jane"})
        wait_until(lambda: "user.login" in {event["action"] for event in ask("GET", 200, reader)["data"]})
        options = hardened.kafka.options("producer")
        producer = Producer({"bootstrap.servers": hardened.kafka.bootstrap, "log_level": 0, **options})
        producer.produce("audit.events", key="acme", value=b"not framed")
        assert producer.flush(30) == 0
        wait_until(lambda: hardened.run("init", "dlq", "list")[1], why=worker.tail)
        serving, closed = load(**hardened.settings("serve")), list[Letter]()
        letters = list(LetterTopic(serving).index().in_topic_order(Selection()))
        close_letters(serving, letters, "a test", producer=sender_of_resolutions(serving), on_closed=closed.extend)
        assert closed == letters != []  # as the console does
        observer.turn(datetime.now(UTC))
        assert observer.leading
        observer.close()
        served.app.state.services.security.make_if_due()
    assert [line for line in lines if line["event"] == "observe.unmeasured"] == []
    [made] = [line for line in lines if line["event"] == "security_check.made"]
    assert (made["outcome"], made["critical"]) == ("success", "0")
    # The accounts of `serve` may not see ACLs, topic options and other accounts.
    assert {name.partition("-")[0] for name in made["not_made"].split(", ")} == {"kafka", "topic", "clickhouse"}
    for command in (["lag"], ["verify"], ["dlq", "resolve", "--code", "NOT_FRAMED", "--reason", "a test", "--yes"]):
        code, text = hardened.run("init", *command)
        assert code == 0, text
    assert worker.stop() == 0
    assert "authorization" not in worker.log.read_text().lower()


@pytest.mark.parametrize(
    ("right", "code"),
    [
        (Allowed("topic", "audit.events", ("Write",)), "kafka-anyone-writes-events"),
        (Allowed("topic", "audit.", ("Read",), prefixed=True), "kafka-anyone-reads-events"),
        (Allowed("topic", "audit.dead-letters", ("All",)), "kafka-anyone-writes-dead-letters"),
        (Allowed("group", "*", ("Read",)), "kafka-anyone-joins-group"),
    ],
)
def test_an_acl_for_everyone_is_found(hardened: Hardened, right: Allowed, code: str) -> None:
    with hardened.kafka.granted("*", right):
        assert added(hardened) == {code}


def test_a_readable_file_of_keys_is_found(hardened: Hardened) -> None:
    file = hardened.folder / "keys.json"
    file.chmod(0o644)
    try:
        assert added(hardened) == {"file-accessible-to-others"}
    finally:
        file.chmod(0o600)


def test_an_old_key_is_found(hardened: Hardened, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    keys = KeysFile.load_or_create(tmp_path / "keys.json")
    keys.create(roles=("vendor",), now=now - timedelta(days=400), expires=now + timedelta(days=90))
    assert added(hardened, keys_file=tmp_path / "keys.json") == {"client-key-old"}


def test_a_certificate_that_its_clients_do_not_trust_is_found(hardened: Hardened) -> None:
    """The system does not trust the authority that signed `serve`'s certificate."""
    hardened.trusted = False
    try:
        assert added(hardened) == {"certificate-untrusted"}
    finally:
        hardened.trusted = True


@contextmanager
def with_grants(hardened: Hardened, folder: Path, more: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
    """Run another ClickHouse with additional grants, and yield the settings for it."""
    with ExitStack() as kept:
        store = SecuredStore(folder, more)
        kept.callback(store.engine.stop)
        settings = {"clickhouse_url": hardened.behind_tls(store.engine.url).url, **store.settings("init")}
        code, _ = hardened.run("init", "init", **settings)
        assert code == 0
        yield settings


@pytest.mark.parametrize(
    ("whose", "code"),
    [
        (account("init"), "clickhouse-account-too-broad"),
        (account("worker"), "clickhouse-role-too-broad"),
        ("auditlane_query", "clickhouse-role-too-broad"),
    ],
)
def test_an_account_with_all_grants_is_found(hardened: Hardened, tmp_path: Path, whose: str, code: str) -> None:
    with with_grants(hardened, tmp_path, {whose: ["ALL ON audit.*"]}) as settings:
        assert added(hardened, **settings) == {code}


def test_a_listener_without_tls_and_passwords_is_found(hardened: Hardened) -> None:
    """This test comes last because it restarts the broker."""
    given, (extra,) = hardened.kafka.broker.properties(), ports.free(1)
    hardened.kafka.restart(
        listeners=f"{given['listeners']},EXTRA://127.0.0.1:{extra}",
        advertised_listeners=f"{given['advertised.listeners']},EXTRA://127.0.0.1:{extra}",
        listener_security_protocol_map=f"{given['listener.security.protocol.map']},EXTRA:PLAINTEXT",
    )
    assert added(hardened) == {"kafka-listener-unauthenticated"}
