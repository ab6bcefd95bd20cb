"""Tests the doctor's findings: the decisions without I/O, and the checks against unreachable services."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AclOperation

from auditlane.contract import acls, topics
from auditlane.local import ports, power
from auditlane.local.doctor import access, clickhouse, host, kafka, registry, run
from auditlane.local.doctor.access import Component
from auditlane.local.doctor.finding import Level, exit_code, fail, guarded, ok, warn
from auditlane.local.layout import Layout
from auditlane.runtime.errors import StoreUnavailable
from auditlane.runtime.settings import load
from auditlane.store.partitioning import Partitioning

DAY_MS = 24 * 3_600_000


@pytest.mark.parametrize(
    ("codes", "word"),
    [
        ({KafkaError._AUTHENTICATION, KafkaError._ALL_BROKERS_DOWN}, "rejects the credentials"),
        ({KafkaError._SSL, KafkaError._TRANSPORT}, "over TLS"),
        ({KafkaError._RESOLVE}, "host name"),
        ({KafkaError._TRANSPORT}, "is unreachable"),
        (set(), "is unreachable"),
    ],
)
def test_the_most_specific_reason_comes_first(codes, word):
    what, fix = kafka.explain(codes)
    assert word in what
    assert "AUDITLANE_KAFKA" in fix


@pytest.mark.parametrize(
    ("lag", "members", "level", "word"),
    [
        (0, 1, Level.OK, "lag 0 messages"),
        (100_000, 2, Level.OK, "100,000"),
        (100_001, 2, Level.WARN, "more workers"),
        (5, 0, Level.WARN, "No worker is connected"),
    ],
)
def test_doctor_warns_of_lag_and_of_missing_workers(lag, members, level, word):
    found = kafka.lag_finding("workers", lag, members)
    assert found.level is level
    assert word in found.message + found.fix


def test_doctor_reports_partitions_without_leader_or_behind():
    healthy = SimpleNamespace(leader=1, replicas=[1, 2], isrs=[1, 2])
    behind = SimpleNamespace(leader=1, replicas=[1, 2], isrs=[1])
    leaderless = SimpleNamespace(leader=-1, replicas=[1], isrs=[])
    assert list(kafka.partition_health("t", {0: healthy})) == []
    assert [one.level for one in kafka.partition_health("t", {0: healthy, 1: behind})] == [Level.WARN]
    assert [one.level for one in kafka.partition_health("t", {0: behind, 7: leaderless})] == [Level.FAIL]


@pytest.mark.parametrize(
    ("there", "level"),
    [
        (100.5, Level.OK),
        (98.5, Level.OK),
        (97.9, Level.WARN),
        (103.1, Level.WARN),
        (161.1, Level.FAIL),
        (0, Level.FAIL),
    ],
)
def test_doctor_checks_the_clock_difference(there, level):
    assert clickhouse.clock_finding(there, before=100, after=101).level is level


@pytest.mark.parametrize(
    ("engine", "level"),
    [
        ("ReplacingMergeTree(x) ORDER BY y SETTINGS non_replicated_deduplication_window = 10000", Level.OK),
        ("ReplacingMergeTree(x) ORDER BY y SETTINGS non_replicated_deduplication_window = 12, a = 1", Level.FAIL),
        ("ReplacingMergeTree(x) ORDER BY y", Level.FAIL),
        ("ReplicatedReplacingMergeTree('/p', 'r', x) ORDER BY y", Level.OK),
        ("ReplicatedReplacingMergeTree('/p', 'r', x) SETTINGS replicated_deduplication_window = 10", Level.FAIL),
        ("", Level.FAIL),
    ],
)
def test_doctor_rejects_a_short_deduplication_window(engine, level):
    assert clickhouse.window_finding(engine).level is level


@pytest.mark.parametrize(
    ("key", "wanted", "largest", "level", "words"),
    [
        ("toYYYYMM(occurred_at)", None, 0, Level.OK, "one partition for each month"),
        ("toYYYYMMDD(occurred_at)", Partitioning.DAY, 1 << 40, Level.OK, "one partition for each day"),
        ("toYYYYMM(occurred_at)", Partitioning.DAY, 0, Level.FAIL, "but AUDITLANE_CLICKHOUSE_PARTITIONS is day"),
        ("tenant_id", None, 0, Level.FAIL, "is partitioned by tenant_id"),
        ("", None, 0, Level.FAIL, "is partitioned by nothing"),
        ("toYYYYMM(occurred_at)", None, 200_000_000_000, Level.WARN, "A month of table events has 200 GB"),
    ],
)
def test_the_doctor_reports_partitions_that_do_not_fit(
    key: str, wanted: Partitioning | None, largest: int, level: Level, words: str
) -> None:
    found = clickhouse.partitions_finding(key, wanted, largest)
    assert (found.level, words in found.message) == (level, True)


@pytest.mark.parametrize(("free", "level"), [(3 << 30, Level.OK), (1 << 30, Level.WARN), (1 << 20, Level.FAIL)])
def test_doctor_checks_the_free_space(tmp_path, free, level):
    assert host.disk_space_finding(tmp_path, free).level is level


@pytest.mark.parametrize(
    ("effective", "own", "level", "words"),
    [
        ("BACKWARD", None, Level.OK, ""),
        ("FULL_TRANSITIVE", "FULL_TRANSITIVE", Level.OK, ""),
        ("NONE", "NONE", Level.FAIL, "has the compatibility NONE:"),
        ("FORWARD", None, Level.FAIL, "has the compatibility FORWARD, the registry's global level:"),
    ],
)
def test_doctor_demands_a_level_with_which_stored_events_can_be_read(effective, own, level, words):
    found = registry.compatibility_finding("audit.events-value", effective, own)
    assert (found.level, words in found.message) == (level, True)
    assert level is Level.OK or "PUT /config/audit.events-value" in found.fix


WANTED = topics.Topic("t", 6, 1, {"retention.ms": str(14 * DAY_MS), "cleanup.policy": "delete"})
LETTERS = topics.Topic("d", 6, 1, {"retention.ms": "-1", "retention.bytes": "-1"})


@pytest.mark.parametrize(
    ("want", "changes", "workers", "levels", "words"),
    [
        (WANTED, {}, 6, [Level.OK], "matches the settings"),
        (WANTED, {"retention.ms": str(7 * DAY_MS)}, 6, [Level.WARN], "retention.ms"),
        (WANTED, {"retention.ms": str(7 * DAY_MS - 1)}, 6, [Level.FAIL], "events that no worker has stored"),
        (WANTED, {"retention.ms": "-1"}, 6, [Level.WARN], "retention.ms=-1"),
        (WANTED, {"cleanup.policy": "compact"}, 7, [Level.FAIL, Level.WARN], "1 would be idle"),
        (LETTERS, {"retention.bytes": "1000"}, 1, [Level.FAIL], "1,000 bytes only (retention.bytes)"),
        (LETTERS, {"retention.ms": str(365 * DAY_MS)}, 1, [Level.FAIL], "Kafka deletes rejected messages"),
    ],
)
def test_doctor_fails_for_topics_that_lose_messages(want, changes, workers, levels, words):
    have = replace(want, config=want.config | changes)
    found = list(kafka.topic_findings(want, have, workers=workers))
    assert [one.level for one in found] == levels
    assert words in found[0].message
    assert all(one.fix or one.level is not Level.FAIL for one in found)


def test_doctor_names_the_rights_that_a_kafka_account_lacks():
    rights = list(acls.allowed("worker", topic="t", dead_letters="d", group="g"))
    read = {AclOperation.READ, AclOperation.DESCRIBE}
    every = read | {AclOperation.WRITE}
    found = list(access.access_findings(Component.WORKER, dict(zip(rights, (every, None, read), strict=True))))
    assert [one.level for one in found] == [Level.OK]
    assert list(access.access_findings(Component.WORKER, {rights[0]: {AclOperation.ALL}})) == found
    [lacking] = access.access_findings(Component.WORKER, {rights[0]: read, rights[2]: read}, user="jane")
    assert lacking.message == "The account jane lacks Write on topic t, which worker needs."
    assert lacking.fix == (
        "Run: kafka-acls --add --allow-principal User:jane --operation Write --topic t --resource-pattern-type prefixed"
    )


@pytest.mark.parametrize(
    ("component", "given", "words"),
    [
        (Component.INIT, {}, []),
        (Component.WORKER, {}, ["PROVENANCE_KEYS_FILE is not set: no signature"]),
        (Component.SERVE, {}, ["KEYS_FILE is not set", "SIGNING_KEYS_FILE is not set"]),
        (Component.INIT, {"clickhouse_user": "a"}, ["CLICKHOUSE_PASSWORD is not set for the user a"]),
        (Component.INIT, {"clickhouse_user": "a", "clickhouse_password": "x"}, []),
        (Component.INIT, {"registry_user": "a"}, ["REGISTRY_PASSWORD is not set for the user a"]),
        (
            Component.INIT,
            {"kafka_extra": {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "a"}},
            ["KAFKA_EXTRA has no sasl.password, which SASL_SSL requires"],
        ),
        (Component.INIT, {"kafka_extra": {"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"}}, []),
    ],
)
def test_doctor_names_missing_secrets(component, given, words):
    found = list(access.secrets(load(**given), component))
    assert [word in one.message for word, one in zip(words, found, strict=True)] == [True] * len(words)
    assert all(one.fix for one in found)


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([ok("kafka", "a"), warn("kafka", "b")], 0),
        ([fail("kafka", "a", unavailable=True), ok("kafka", "b")], 6),
        ([fail("kafka", "a", unavailable=True), fail("kafka", "b")], 1),
    ],
)
def test_the_exit_code_distinguishes_what_a_retry_may_cure(findings, code):
    assert exit_code(findings) == code


@pytest.mark.parametrize(
    ("code", "words", "exit_"),
    [
        (KafkaError._TIMED_OUT, "stopped responding", 6),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, "rejected a request", 1),
    ],
)
def test_a_request_without_a_response_may_be_repeated_and_a_rejected_one_needs_a_person(code, words, exit_):
    finding = kafka.failed_request(KafkaError(code))
    assert words in finding.message
    assert exit_code([finding]) == exit_


def test_an_error_of_one_part_is_a_finding():
    def check():
        yield ok("clickhouse", "there")
        raise StoreUnavailable("gone", fix="look")

    found = list(guarded("clickhouse", check))
    assert [(one.level, one.message, one.fix) for one in found] == [
        (Level.OK, "there", ""),
        (Level.FAIL, "gone", "look"),
    ]


def test_doctor_reports_credential_files_missing_or_open_to_others(tmp_path):
    missing, open_to_all = tmp_path / "keys.json", tmp_path / "signing.json"
    host.SigningKeys.load_or_create(open_to_all)
    open_to_all.chmod(0o644)
    found = list(host.credentials(load(keys_file=missing, signing_keys_file=open_to_all)))
    assert [one.level for one in found] == [Level.FAIL, Level.WARN, Level.FAIL]
    assert "provenance-keys.json does not exist" in found[2].message
    assert "chmod 600" in found[1].fix
    assert [one.level for one in host.credentials(load())] == [Level.WARN] * 3


def test_unreachable_parts_are_each_named_with_a_fix(tmp_path):
    first, two, three, four = ports.free(4)
    settings = load(
        data_dir=tmp_path / "none",
        kafka_bootstrap=f"127.0.0.1:{first}",
        registry_url=f"http://127.0.0.1:{two}",
        clickhouse_url=f"http://127.0.0.1:{three}",
        serve_url=f"http://127.0.0.1:{four}",
        worker_port=0,
    )
    failed = [finding for finding in run.examine(settings) if finding.level is Level.FAIL]
    assert [finding.part for finding in failed] == ["kafka", "registry", "clickhouse", "serve"]
    assert all(finding.fix and finding.unavailable for finding in failed)


@pytest.mark.parametrize("component", Component)
def test_a_component_whose_parts_are_all_unreachable_may_be_retried(tmp_path, component):
    """The component's secrets exist. Nothing else about the installation is checked."""
    one, two, three = ports.free(3)
    for name in ("keys.json", "signing-keys.json", "provenance-keys.json"):
        kind = {"k": host.KeysFile, "s": host.SigningKeys, "p": host.ProvenanceKeys}[name[0]]
        kind.load_or_create(tmp_path / name)
    settings = load(
        kafka_bootstrap=f"127.0.0.1:{one}",
        registry_url=f"http://127.0.0.1:{two}",
        clickhouse_url=f"http://127.0.0.1:{three}",
        keys_file=tmp_path / "keys.json",
        signing_keys_file=tmp_path / "signing-keys.json",
    )
    found = list(run.examine_component(settings, component))
    assert [one.part for one in found if one.level is Level.FAIL] == ["kafka", "registry", "clickhouse"]
    assert exit_code(found) == 6


def test_a_part_that_responds_slowly_is_not_reported_as_both_unreachable_and_ready(tmp_path, monkeypatch):
    rows = [
        {"name": name, "state": state, "starts": 1, "log": "x.log"}
        for name, state in (("serve", "unreachable"), ("kafka", "unreachable"), ("worker", "restarting"))
    ]
    demo = {"name": "demo", "state": "unreachable", "starts": 1, "log": ""}  # no other check covers it
    monkeypatch.setattr(run.status, "report", lambda _: {"pid": 7, "parts": rows, "extras": [demo]})
    found = list(run._stack(load(), Layout(tmp_path)))
    assert [one.part for one in found if one.level is Level.FAIL] == ["worker", "demo"]


def test_a_stack_that_does_not_run_is_one_finding(tmp_path):
    Layout(tmp_path).write_state({"env": {"AUDITLANE_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "parts": []})
    failed = [finding for finding in run.examine(load(data_dir=tmp_path)) if finding.level is Level.FAIL]
    assert [finding.message for finding in failed] == [f"No stack is running in {tmp_path}."]
    assert f"auditlane up --data {tmp_path}" in failed[0].fix


RUNNING, STOPPED = {"phase": "running", "boot": "one"}, {"phase": "stopped", "boot": "one"}


@pytest.mark.parametrize(
    ("state", "boot_id", "was_lost"),
    [
        ({}, "one", False),
        (RUNNING, "one", False),  # killing the supervisor does not cost its services any data
        (RUNNING, "two", True),
        ({**RUNNING, "phase": "stopping"}, "two", True),
        (STOPPED, "two", False),
        (RUNNING, "", False),  # a system without a boot id
        ({**RUNNING, "boot": ""}, "two", False),
        ({**RUNNING, "power_lost": True}, "one", True),  # reported until an orderly stop
        ({**STOPPED, "power_lost": True}, "one", False),
    ],
)
def test_a_power_loss_is_distinguished_from_a_kill(state, boot_id, was_lost):
    assert power.was_lost(state, boot_id) is was_lost


def test_after_a_power_loss_verify_and_replay_are_proposed(tmp_path, monkeypatch):
    monkeypatch.setattr(power, "boot_id", lambda: "two")
    Layout(tmp_path).write_state({"env": {"AUDITLANE_REGISTRY_URL": "http://127.0.0.1:1"}, "parts": [], **RUNNING})
    [told] = [one for one in run.examine(load(data_dir=tmp_path)) if "went down" in one.message]
    assert told.level is Level.WARN
    assert told.fix.index("auditlane verify") < told.fix.index("auditlane replay audit.events")


class Answers:
    """Stands in for the workers on one host. Halted partitions are given by port, and ports in `busy` return other
    content.
    """

    def __init__(self, halted, busy=()):
        self.halted, self.busy = halted, busy
        self.requests = []

    def __call__(self, url):
        port = int(url.rpartition(":")[2])
        self.requests.append(url)
        if port in self.busy:
            return SimpleNamespace(status=200, json=lambda: {"status": "ready"})
        if port not in self.halted:
            return None
        return SimpleNamespace(status=200, json=lambda: {"status": "ready", "halted": self.halted[port]})


@pytest.mark.parametrize(
    ("halted", "busy", "levels"),
    [
        ({}, (), [Level.WARN]),
        ({}, (8481,), [Level.WARN]),
        ({8481: {}}, (), [Level.OK]),
        ({8481: {}, 8482: {"t[1]": "offsets are lost"}}, (8483,), [Level.OK, Level.OK, Level.FAIL]),
        ({8481: {}, 8483: {}}, (), [Level.OK, Level.FAIL, Level.OK]),  # the process on the middle port is down
    ],
)
def test_every_configured_worker_process_is_probed(monkeypatch, halted, busy, levels):
    answers = Answers(halted, busy)
    monkeypatch.setattr(host, "_ready", answers)
    monkeypatch.setattr(host, "_failure_gauges", lambda url: {})
    found = list(host.workers(load(worker_port=8481)))
    assert [one.level for one in found] == levels
    assert {url.rpartition(":")[0] for url in answers.requests} == {"http://127.0.0.1"}
    for reason in (reason for one in halted.values() for reason in one.values()):
        assert any(reason in one.message for one in found)


def test_workers_that_listen_everywhere_are_probed_on_loopback(monkeypatch):
    answers = Answers({})
    monkeypatch.setattr(host, "_ready", answers)
    list(host.workers(load(worker_host="::", worker_port=8481)))
    assert answers.requests[0] == "http://[::1]:8481"
    assert [one.level for one in host.workers(load(worker_port=0))] == [Level.WARN]


def test_a_worker_that_only_discloses_its_status_is_checked_by_its_metrics(monkeypatch):
    figures = {"auditlane_worker_halted_partitions": 2.0, "auditlane_worker_failing_partitions": 0.0}
    monkeypatch.setattr(host, "_ready", Answers({}, busy=(8481,)))
    monkeypatch.setattr(host, "_failure_gauges", lambda url: figures if url.endswith(":8481") else {})
    healthy, halted = host.workers(load(worker_host="0.0.0.0", worker_port=8481))
    assert (healthy.level, halted.level) == (Level.OK, Level.FAIL)
    assert "2 partitions halted" in halted.message


def test_a_worker_that_cannot_verify_what_serve_signs(tmp_path):
    path = tmp_path / "provenance-keys.json"
    kid = host.ProvenanceKeys.load_or_create(path).key_ids[0]

    def messages(*verifies: str, where=path) -> list[str]:
        found = list(host.provenance_findings("worker", verifies, where))
        assert all(one.level is Level.FAIL and "AUDITLANE_PROVENANCE_KEYS_FILE" in one.fix for one in found)
        return [one.message for one in found]

    assert messages(kid) == messages(kid, "older") == messages("another", where=None) == []
    assert "has no provenance keys" in messages()[0]
    assert f"lacks the provenance key {kid}" in messages("another")[0]
