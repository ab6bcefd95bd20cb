"""Tests how the security check turns facts about Kafka and ClickHouse into findings."""

from __future__ import annotations

import pytest

from auditlane.observe.security import clickhouse, kafka
from auditlane.observe.security.clickhouse import Access, Replica, RowPolicy, Tables
from auditlane.observe.security.kafka import Acl, Topic
from auditlane.observe.security.privileges import by_account, excess, parse, roles_by_user
from auditlane.runtime.settings import load
from auditlane.store.roles import ROLES, grants

EVENTS, LETTERS, GROUP = "audit.events", "audit.dead-letters", "auditlane-worker"
# An excerpt from ClickHouse's system.privileges table.
GROUPS = {
    "ALL": "",
    "SELECT": "ALL",
    "INSERT": "ALL",
    "ALTER": "ALL",
    "ALTER TABLE": "ALTER",
    "ALTER UPDATE": "ALTER TABLE",
    "ALTER DELETE": "ALTER TABLE",
    "DROP": "ALL",
    "DROP TABLE": "DROP",
}


def codes(found):
    return [one.code for one in found]


def acl(kind, name, principal, operation, *, prefixed=False, allow=True):
    return Acl(kind, name, prefixed, principal, operation, allow)


OWN = [
    acl("topic", EVENTS, "User:shop", "write"),
    acl("topic", "audit.", "User:worker", "read", prefixed=True),
    acl("topic", LETTERS, "User:worker", "write"),
    acl("group", GROUP, "User:worker", "read"),
]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([], ["kafka-event-writers"]),
        ([acl("topic", "*", "User:*", "describe")], ["kafka-event-writers"]),
        ([acl("topic", "*", "User:*", "write")], ["kafka-anyone-writes-events", "kafka-anyone-writes-dead-letters"]),
        ([acl("topic", "audit.events", "User:*", "read")], ["kafka-anyone-reads-events", "kafka-event-writers"]),
        (
            [acl("topic", "audit.", "User:*", "all", prefixed=True)],
            ["kafka-anyone-writes-events", "kafka-anyone-reads-events", "kafka-anyone-writes-dead-letters"],
        ),
        (
            [acl("topic", "other", "User:*", "all"), acl("other", "kafka-cluster", "User:*", "all")],
            ["kafka-event-writers"],
        ),
        (
            [acl("group", "auditlane", "User:*", "read", prefixed=True)],
            ["kafka-event-writers", "kafka-anyone-joins-group"],
        ),
        (
            [acl("topic", EVENTS, "User:*", "write"), acl("topic", EVENTS, "User:*", "all", allow=False)],
            [],
        ),
    ],
)
def test_acls_for_everyone_are_found(more, expected):
    found = kafka.grants([*OWN, *more], topics=[EVENTS], dead_letters=LETTERS, group=GROUP)
    assert codes(found) == expected


def test_the_writers_of_topics_with_events_are_listed_together():
    dedicated = [f"{EVENTS}.acme", f"{EVENTS}.umbrella"]
    acls = [*OWN, acl("topic", f"{EVENTS}.", "User:acme", "write", prefixed=True)]
    acls += [acl("topic", dedicated[0], "User:*", "read")]
    found = list(kafka.grants(acls, topics=[EVENTS, *dedicated], dead_letters=LETTERS, group=GROUP))
    assert codes(found) == ["kafka-anyone-reads-events", "kafka-event-writers", "kafka-event-writers"]
    assert found[1].what == f"These may write to {EVENTS}: User:shop."
    assert found[2].what == f"These may write to {dedicated[0]}, {dedicated[1]}: User:acme."


def test_brokers_without_access_control_are_found():
    assert codes(kafka.authorizer(None)) == ["kafka-without-acls"]
    assert codes(kafka.authorizer([])) == []
    assert codes(kafka.grants(None, topics=[EVENTS], dead_letters=LETTERS, group=GROUP)) == []


def test_a_topic_without_an_acl_is_found():
    found = kafka.grants(
        [acl("group", GROUP, "User:worker", "read")], topics=[EVENTS], dead_letters=LETTERS, group=GROUP
    )
    assert codes(found) == ["kafka-topic-without-acl"]


LOCAL = "IN://127.0.0.1:9092"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"listeners": LOCAL, "listener.security.protocol.map": "IN:SASL_PLAINTEXT"}, []),
        ({"listeners": LOCAL, "listener.security.protocol.map": "IN:PLAINTEXT"}, ["kafka-listener-unauthenticated"]),
        ({"listeners": "SASL_SSL://:9094,SASL_PLAINTEXT://[::1]:9095"}, []),
        ({"listeners": "SASL_PLAINTEXT://:9094"}, ["kafka-listener-without-tls"]),
        (
            {"listeners": "PLAINTEXT://10.0.0.1:9092"},
            ["kafka-listener-unauthenticated", "kafka-listener-without-tls"],
        ),
        ({"listeners": "SSL://:9094", "ssl.client.auth": "none"}, ["kafka-listener-unauthenticated"]),
        ({"listeners": "SSL://:9094", "ssl.client.auth": "required"}, []),
        (
            {
                "listeners": "OUT://:9094",
                "listener.security.protocol.map": "OUT:SSL",
                "listener.name.out.ssl.client.auth": "required",
            },
            [],
        ),
        ({"auto.create.topics.enable": "true"}, ["kafka-auto-creates-topics"]),
        ({"auto.create.topics.enable": "false"}, []),
    ],
)
def test_a_brokers_weak_options_are_found(options, expected):
    assert codes(kafka.broker(options)) == expected


SAFE = {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}


@pytest.mark.parametrize(
    ("replicas", "config", "expected"),
    [
        (3, SAFE, []),
        (1, {}, ["topic-without-replicas"]),
        (3, {**SAFE, "min.insync.replicas": "1"}, ["topic-min-isr"]),
        (3, {**SAFE, "unclean.leader.election.enable": "true"}, ["topic-unclean-election"]),
    ],
)
def test_topics_that_may_lose_events_with_a_broker_are_found(replicas, config, expected):
    assert codes(kafka.durability([Topic(EVENTS, replicas, config)], brokers=3)) == expected


WEEK = {"retention.ms": str(168 * 3_600_000), "retention.bytes": "-1", "cleanup.policy": "delete"}
APPEND = {**WEEK, "message.timestamp.type": "LogAppendTime"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"retention.ms": "-1"}, []),
        ({"retention.ms": "86400000"}, ["topic-retention-short"]),
        ({"retention.bytes": "1000"}, ["topic-retention-bytes"]),
        ({"cleanup.policy": "compact,delete"}, ["topic-compacted"]),
        ({"message.timestamp.type": "CreateTime"}, ["topic-producer-timestamps"]),
    ],
)
def test_topics_that_lose_events_with_time_are_found(changes, expected):
    topic = Topic(EVENTS, 3, {**APPEND, **changes})
    letters = Topic(LETTERS, 3, {"retention.ms": "-1", "retention.bytes": "-1"})
    assert codes(kafka.retention([topic], letters, load())) == expected


def test_dead_letters_that_expire_are_found():
    letters = Topic(LETTERS, 3, {"retention.ms": "604800000", "cleanup.policy": "compact"})
    assert codes(kafka.retention([], letters, load())) == ["dead-letters-expire", "topic-compacted"]


def test_topics_that_are_not_visible_are_gaps():
    (gap,) = kafka.missing((EVENTS, LETTERS), [Topic(EVENTS, 1)])
    assert LETTERS in gap.reason


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("GRANT SELECT, INSERT ON `audit`.events TO worker", ["SELECT ON audit.events", "INSERT ON audit.events"]),
        ("GRANT SELECT(a, b), ALTER UPDATE(c) ON audit.* TO x", ["SELECT ON audit.*", "ALTER UPDATE ON audit.*"]),
        ("GRANT ALL ON *.* TO x WITH GRANT OPTION", ["ALL ON *.* WITH GRANT OPTION"]),
        ("GRANT auditlane_query TO x", []),
        ("REVOKE SELECT ON audit.events FROM x", []),
        ("SHOW USERS, SHOW ROLES ON *.*", ["SHOW USERS ON *.*", "SHOW ROLES ON *.*"]),
    ],
)
def test_grants_are_parsed(statement, expected):
    assert list(map(str, parse(statement))) == expected


def test_grants_belong_to_their_accounts():
    lines = ["GRANT SELECT ON audit.* TO `serve-1`", "GRANT INSERT ON audit.settings TO `serve-1` WITH GRANT OPTION"]
    found = by_account([*lines, "GRANT auditlane_query TO other"])
    assert {name: list(map(str, privileges)) for name, privileges in found.items()} == {
        "serve-1": ["SELECT ON audit.*", "INSERT ON audit.settings WITH GRANT OPTION"]
    }


def surplus(role: str, *statements: str) -> list[str]:
    have = [privilege for statement in statements for privilege in parse(statement)]
    return list(map(str, excess(have, role=role, database="audit", groups=GROUPS)))


@pytest.mark.parametrize("role", ROLES)
def test_the_grants_of_a_role_are_not_too_broad_for_it(role):
    assert surplus(role, *grants(role, "audit")) == []


@pytest.mark.parametrize(
    ("role", "statement", "expected"),
    [
        ("worker", "INSERT ON audit.events", []),
        ("worker", "SELECT ON audit.settings", ["SELECT ON audit.settings"]),
        ("worker", "SELECT ON audit.*", ["SELECT ON audit.*"]),
        ("query", "SELECT ON audit.events", []),
        ("query", "SELECT ON other.events", ["SELECT ON other.events"]),
        ("query", "ALL ON audit.*", ["ALL ON audit.*"]),
        ("query", "INSERT ON audit.settings WITH GRANT OPTION", ["INSERT ON audit.settings WITH GRANT OPTION"]),
        ("query", "READ ON DISK", ["READ ON DISK"]),
        ("init", "ALTER DELETE ON audit.events", []),
        ("init", "ALTER TABLE ON audit.*", []),
        ("init", "ALTER ON *.*", ["ALTER ON *.*"]),
        ("init", "TABLE ENGINE ON MergeTree", []),
        ("init", "READ, WRITE ON DISK", []),
        ("analyst", "SELECT ON audit.log", []),
        ("analyst", "SELECT ON audit.link_claims", ["SELECT ON audit.link_claims"]),
    ],
)
def test_privileges_beyond_a_role_are_found(role, statement, expected):
    assert surplus(role, statement) == expected


def test_an_account_that_may_do_more_than_its_role_is_found():
    have = [privilege for statement in grants("init", "audit") for privilege in parse(statement)]
    given = {"user": "serve", "database": "audit", "groups": GROUPS}
    (found,) = clickhouse.own_grants(have, role="query", **given)
    assert found.code == "clickhouse-account-too-broad"
    assert "ALTER ON audit.*" in found.what
    assert list(clickhouse.own_grants(have, role="init", **given)) == []


def access(**accounts: str) -> Access:
    return Access(privileges={name: list(parse(text)) for name, text in accounts.items()})


def test_roles_that_may_do_more_than_they_need_are_found():
    good = access(auditlane_worker="SELECT, INSERT ON audit.events", analyst="SELECT ON audit.log")
    bad = access(auditlane_worker="ALTER DELETE ON audit.events", analyst="SELECT ON audit.log")
    given = {"database": "audit", "user": "owner", "groups": GROUPS}
    assert list(clickhouse.role_grants(good, **given)) == []
    (found,) = clickhouse.role_grants(bad, **given)
    assert found.code == "clickhouse-role-too-broad"
    assert "auditlane_worker" in found.what


def test_a_user_that_may_do_more_than_its_roles_need_is_found():
    worker = "SELECT, INSERT ON audit.events"
    held = {"one": frozenset({"auditlane_worker"}), "other": frozenset({"auditlane_worker", "auditlane_query"})}
    given = {"database": "audit", "user": "owner", "groups": GROUPS}
    good = Access(privileges=access(one=worker, other="INSERT ON audit.settings").privileges, roles=held)
    assert list(clickhouse.role_grants(good, **given)) == []
    assert list(clickhouse.row_policies(good, database="audit", user="owner")) == []
    bad = Access(privileges=access(one="ALTER ON audit.*", owner="ALL ON *.*").privileges, roles=held)
    (found,) = clickhouse.role_grants(bad, **given)
    assert (found.code, found.what.split()[0]) == ("clickhouse-role-too-broad", "one")


def test_roles_belong_to_their_users():
    lines = ["GRANT auditlane_worker, `other-role` TO `worker-1`", "GRANT SELECT ON audit.* TO bi"]
    lines.append("GRANT auditlane_query TO `worker-1` WITH ADMIN OPTION")
    assert roles_by_user(lines) == {"worker-1": frozenset({"auditlane_worker", "other-role", "auditlane_query"})}


def test_users_without_a_password_are_found():
    found = clickhouse.no_password(Access(without_password=("default", "guest")))
    assert codes(found) == ["clickhouse-user-without-password"] * 2


ACCOUNTS = {"auditlane_worker": "INSERT ON audit.events", "bi": "SELECT ON audit.log", "metrics": "SELECT ON system.*"}


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ([], ["clickhouse-other-readers"]),
        ([RowPolicy("p", "events", "tenant_id = 'acme'", accounts=frozenset({"bi"}))], []),
        (
            [RowPolicy("p", "events", "tenant_id = 'acme'", to_all=True)],
            ["clickhouse-rows-hidden"],
        ),
        ([RowPolicy("p", "events", "x", to_all=True, exempt=frozenset({"auditlane_worker"}))], []),
        ([RowPolicy("p", "events", "1", to_all=True)], []),
        (
            [RowPolicy("p", "settings", "x", accounts=frozenset({"auditlane_worker"}))],
            ["clickhouse-rows-hidden", "clickhouse-other-readers"],
        ),
    ],
)
def test_row_policies_are_judged(policies, expected):
    found = Access(privileges=access(**ACCOUNTS).privileges, policies=tuple(policies))
    assert codes(clickhouse.row_policies(found, database="audit", user="serve")) == expected


REPLICATED = {"events": "ReplicatedReplacingMergeTree('/p', 'r')", "events_all": "Distributed('main')"}


def replica(*, read_only: bool = False, total: int = 3, active: int = 3, late_s: int = 0) -> Replica:
    return Replica("events", read_only, total, active, late_s)


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (Tables({"events": "ReplacingMergeTree(x)"}, 1), ["clickhouse-one-copy"]),
        (Tables({"events": "ReplacingMergeTree(x)"}, 3), ["clickhouse-not-replicated"]),
        (Tables({"events": "ReplacingMergeTree(x)", "events_all": "Distributed"}, 1), ["clickhouse-not-replicated"]),
        (Tables(REPLICATED, 3, (replica(),)), []),
        (Tables(REPLICATED, 3, (replica(read_only=True),)), ["clickhouse-replica-read-only"]),
        (Tables(REPLICATED, 3, (replica(active=2),)), ["clickhouse-replicas-missing"]),
        (Tables(REPLICATED, 3, (replica(total=1, active=1),)), ["clickhouse-replicas-missing"]),
        (Tables(REPLICATED, 3, (replica(late_s=301),)), ["clickhouse-replica-late"]),
    ],
)
def test_replicas_are_judged(tables, expected):
    assert codes(clickhouse.replication(tables)) == expected
