"""Tests the whole security check: the report, checks that cannot be made, and its schedule in `serve`."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from auditlane.observe.security.catalogue import CHECKS
from auditlane.observe.security.check import Check
from auditlane.observe.security.clickhouse import Access, Tables
from auditlane.observe.security.facts import Facts, Once
from auditlane.observe.security.findings import Gap, NotMade, Report, Rule, Severity
from auditlane.observe.security.kafka import Acl, Topic
from auditlane.observe.security.kafka_facts import Cluster
from auditlane.observe.security.keys import KeyFacts
from auditlane.observe.security.privileges import parse
from auditlane.observe.security.run import examine, judge
from auditlane.observe.security.schedule import TAKEOVER_S, SecuritySchedule, Slot, record_of
from auditlane.runtime.errors import Forbidden, StoreUnavailable
from auditlane.runtime.settings import load
from auditlane.store.roles import ROLES, grants

NOW = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)
RULES = {severity: Rule(f"rule-{severity}", severity, "Why.", "Fix it.") for severity in Severity}
LONG = "q7Zt2mVx0LdWc9RkYb4N"
TOPIC = {
    "min.insync.replicas": "2",
    "retention.ms": "604800000",
    "cleanup.policy": "delete",
    "message.timestamp.type": "LogAppendTime",
}


def hardened() -> Facts:
    """Return the facts about an installation that follows the docs, with three brokers and three replicas."""
    settings = load(
        kafka_bootstrap="kafka.internal:9094",
        kafka_extra={"security.protocol": "SASL_SSL", "sasl.username": "serve", "sasl.password": LONG},
        registry_url="https://registry.internal",
        registry_token=LONG,
        clickhouse_url="https://clickhouse.internal",
        clickhouse_user="serve",
        clickhouse_password=LONG,
        serve_url="https://audit.example.com",
        query_max_rows_read=1_000_000_000,
    )
    letters = {**TOPIC, "retention.ms": "-1", "retention.bytes": "-1"}
    acls = [
        Acl("topic", "audit.events", False, "User:shop", "write"),
        Acl("topic", "audit.", True, "User:worker", "all"),
        Acl("group", "auditlane-worker", False, "User:worker", "read"),
    ]
    roles = {f"auditlane_{role}": [p for grant in grants(role, "audit") for p in parse(grant)] for role in ROLES}
    tables = {"events": "ReplicatedReplacingMergeTree()", "events_all": "Distributed()"}
    return Facts(
        settings=settings,
        now=NOW,
        role="query",
        user=1000,
        user_groups=frozenset({1000}),
        listeners=list,
        files=list,
        keys=lambda: (KeyFacts((), None, None), []),
        certificates=list,
        local_disks=list,
        broker=lambda: {"listeners": "CLIENTS://:9094", "listener.security.protocol.map": "CLIENTS:SASL_SSL"},
        acls=lambda: acls,
        cluster=lambda: Cluster(3, (Topic("audit.events", 3, TOPIC),), Topic("audit.dead-letters", 3, letters)),
        default_user_is_open=lambda: False,
        groups=dict,
        own_grants=lambda: roles["auditlane_query"],
        access=lambda: Access(privileges=roles),
        tables=lambda: Tables(tables, 3),
        store_disks=list,
    )


def test_a_hardened_installation_has_only_the_list_of_writers():
    report = judge(hardened())
    assert report.codes == ("kafka-event-writers",)
    assert report.not_made == ()
    assert report.checks == tuple(check.name for check in CHECKS)


def test_names_and_codes_are_distinct_and_each_rule_has_texts():
    rules = [rule for check in CHECKS for rule in check.rules]
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert len({rule.code for rule in rules}) == len(rules)
    assert all(rule.why.endswith(".") and rule.fix for rule in rules)


def test_findings_are_ranked_and_repetitions_removed():
    low, high = RULES[Severity.low].found("a"), RULES[Severity.high].found("b")
    report = Report.of(["x"], [low, high, low], [])
    assert report.findings == (high, low)
    assert report.at_least(Severity.critical) == []
    assert report.at_least(Severity.high) == [high]
    assert report.at_least(Severity.info) == [high, low]
    assert json.loads(json.dumps(report.document()))["findings"][0] == {
        "code": "rule-high",
        "severity": "high",
        "what": "b",
        "why": "Why.",
        "fix": "Fix it.",
    }


def refused(facts):
    raise Forbidden("Kafka refused a request.")


def unavailable(facts):
    yield RULES[Severity.high].found("first")
    raise StoreUnavailable("ClickHouse cannot be reached.", fix="Start it.")


def broken(facts):
    raise ZeroDivisionError


def with_a_gap(facts):
    yield Gap("One address did not respond.")
    yield RULES[Severity.low].found("second")


def test_a_check_that_fails_is_not_made_and_the_others_are():
    checks = [
        Check(make.__name__, "", f"needs of {make.__name__}", (), make)
        for make in (refused, unavailable, broken, with_a_gap)
    ]
    report = judge(hardened(), checks=checks)
    assert [one.what for one in report.findings] == ["first", "second"]
    assert report.not_made[0] == NotMade("refused", "Kafka refused a request.", "needs of refused")
    assert report.not_made[1] == NotMade("unavailable", "ClickHouse cannot be reached.", "Start it.")
    assert report.not_made[2].check == "broken"
    assert report.not_made[3] == NotMade("with_a_gap", "One address did not respond.", "needs of with_a_gap")


def test_no_check_begins_after_the_time_limit():
    report = judge(hardened(), is_over=lambda: True)
    assert [gap.check for gap in report.not_made] == list(report.checks)
    assert report.findings == ()


def test_an_unreachable_part_is_asked_once():
    calls = []

    def gather():
        calls.append(1)
        raise StoreUnavailable("away")

    once = Once(gather)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            once()
    assert len(calls) == 1


def test_without_any_part_nothing_is_reported_as_passed():
    report = examine(load(), now=NOW, role="init")
    parts = {check.name for check in CHECKS if check.name.startswith(("kafka", "topic", "clickhouse"))}
    assert parts <= {gap.check for gap in report.not_made}
    assert all(gap.needs for gap in report.not_made)


@pytest.mark.parametrize(
    ("every_h", "start", "end"),
    [(24, "2026-11-30T00:00", "2026-12-01T00:00"), (1, "2026-11-30T12:00", "2026-11-30T13:00")],
)
def test_slots_are_the_same_for_every_process(every_h, start, end):
    slot = Slot.at(NOW, timedelta(hours=every_h))
    assert slot == Slot(datetime.fromisoformat(start + "+00:00"), datetime.fromisoformat(end + "+00:00"))
    assert Slot.at(slot.start, timedelta(hours=every_h)) == slot
    assert Slot.at(slot.end, timedelta(hours=every_h)).name != slot.name


def test_the_event_lists_codes_and_checks_that_were_not_made():
    found = [RULES[Severity.critical].found("a"), RULES[Severity.low].found("host a.internal")]
    gaps = [NotMade("kafka-acls", "host a.internal", ""), NotMade("kafka-acls", "again", "")]
    record = record_of(Report.of([], found, gaps), installation="audit")
    assert record.outcome == "failure"
    assert dict(record.metadata) | {"version": ""} == {
        "findings": "2",
        "critical": "1",
        "version": "",
        "codes": "rule-critical, rule-low",
        "not_made": "kafka-acls",
    }
    assert "a.internal" not in str(record)


@pytest.mark.parametrize("severity", Severity)
def test_a_serious_finding_is_a_failure(severity):
    record = record_of(Report.of([], [RULES[severity].found("a")], []), installation="audit")
    assert record.outcome == ("failure" if severity in (Severity.critical, Severity.high) else "success")
    assert record.severity == severity.capitalize()


class Ledger:
    """In-memory claims. The result of the first `failures` claims is unknown."""

    def __init__(self, failures: int = 0) -> None:
        self.names: list[str] = []
        self.failures = failures

    def claim(self, name, /, *, until, now):
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")
        self.names.append(name)
        return self.names.count(name) == 1


class Sink:
    def __init__(self) -> None:
        self.records = []

    def record(self, record):
        self.records.append(record)


def schedule(ledger, sink, check=lambda settings, now: Report.of([], [], []), **settings):
    return SecuritySchedule(load(**settings), ledger, sink, delay_s=0, check=check, clock=lambda: NOW)


def test_a_slot_is_checked_by_one_process_and_the_next_try_is_in_the_next_slot():
    ledger, sink = Ledger(), Sink()
    processes = [schedule(ledger, sink) for _ in range(3)]
    assert [one.make_if_due() for one in processes] == [11.5 * 3_600, TAKEOVER_S, TAKEOVER_S]
    assert [one.make_if_due() for one in processes[1:]] == [11.5 * 3_600] * 2
    assert [record.action for record in sink.records] == ["security.checked"]


def test_another_process_takes_over_from_one_that_ended_during_its_check():
    ledger, sink = Ledger(), Sink()

    def ended(settings, now):
        raise SystemExit

    with pytest.raises(SystemExit):
        schedule(ledger, sink, ended).make_if_due()
    others = [schedule(ledger, sink) for _ in range(2)]
    assert [one.make_if_due() for one in others] == [TAKEOVER_S] * 2
    assert sink.records == []
    assert [one.make_if_due() for one in others] == [11.5 * 3_600] * 2
    assert len(sink.records) == 1


def test_a_process_whose_check_another_one_took_over_records_nothing():
    ledger, sink = Ledger(), Sink()
    other = schedule(ledger, sink)

    def slow(settings, now):
        for _ in range(2):
            other.make_if_due()
        return Report.of([], [], [])

    schedule(ledger, sink, slow).make_if_due()
    assert len(sink.records) == 1


def test_an_undecided_claim_is_tried_again_soon():
    ledger, sink = Ledger(failures=1), Sink()
    one = schedule(ledger, sink)
    assert one.make_if_due() < 3_600
    assert sink.records == []
    one.make_if_due()
    assert len(sink.records) == 1


def test_a_defect_in_the_check_does_not_end_the_thread():
    began, ledger, sink = threading.Event(), Ledger(), Sink()

    def defective(settings, now):
        began.set()
        raise ZeroDivisionError

    one = schedule(ledger, sink, defective)
    one.start()
    assert began.wait(60)
    one.close()
    assert sink.records == []


def test_a_check_in_progress_does_not_delay_the_end():
    began, go, ledger, sink = threading.Event(), threading.Event(), Ledger(), Sink()

    def hanging(settings, now):
        began.set()
        go.wait(60)
        return Report.of([], [], [])

    one = schedule(ledger, sink, hanging)
    one.start()
    assert began.wait(60)
    one.close()
    go.set()
    one._thread.join(60)
    assert sink.records == []


def test_zero_hours_switch_it_off():
    one = schedule(Ledger(), Sink(), security_check_every_h=0)
    one.start()
    one.close()
    assert not one._thread.is_alive()
