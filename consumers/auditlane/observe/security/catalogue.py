"""All checks in the order in which they are made. Checks that need no other component come first. The docs include this
list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from auditlane.observe.security import (
    clickhouse,
    configuration,
    disks,
    files,
    kafka,
    keys,
    listeners,
    transport,
)
from auditlane.observe.security.check import Check
from auditlane.observe.security.facts import Facts
from auditlane.observe.security.findings import Finding, Gap, Rule

T = TypeVar("T")
_DESCRIBE_TOPICS: Final = "The Kafka permissions Describe and DescribeConfigs on the topics."
_SHOW_ACCESS: Final = (
    "A ClickHouse account with the grants of the role init: SHOW USERS, SHOW ROLES and SHOW ROW POLICIES on *.*, and "
    "SELECT on system.*"
)


def _apart(items: Iterable[T | Gap]) -> tuple[list[T], list[Gap]]:
    every = list(items)
    return [item for item in every if not isinstance(item, Gap)], [item for item in every if isinstance(item, Gap)]


def _certificates(facts: Facts) -> Iterator[Finding | Gap]:
    found, gaps = _apart(facts.certificates())
    yield from transport.certificates(found, now=facts.now, days=facts.settings.security_certificate_days)
    yield from gaps


def _listeners(facts: Facts) -> Iterator[Finding | Gap]:
    found, gaps = _apart(facts.listeners())
    yield from listeners.judge(found)
    yield from gaps


def _files(facts: Facts) -> Iterator[Finding | Gap]:
    found, gaps = _apart(facts.files())
    yield from files.judge(found, user=facts.user, groups=facts.user_groups)
    yield from gaps


def _keys(facts: Facts) -> Iterator[Finding | Gap]:
    found, gaps = facts.keys()
    yield from keys.judge(found, now=facts.now, settings=facts.settings)
    yield from gaps


def _authorizer(facts: Facts) -> Iterator[Finding]:
    yield from kafka.authorizer(facts.acls())


def _broker(facts: Facts) -> Iterator[Finding]:
    yield from kafka.broker(facts.broker())


def _acls(facts: Facts) -> Iterator[Finding]:
    settings = facts.settings
    acls = facts.acls()
    names = [settings.topic] if acls is None else [topic.name for topic in facts.cluster().topics]
    yield from kafka.grants(
        acls,
        topics=names or [settings.topic],
        dead_letters=settings.dead_letter_topic,
        group=settings.consumer_group,
    )


def _missing_topics(facts: Facts) -> Iterator[Gap]:
    found = facts.cluster()
    every = [*found.topics, *([found.letters] if found.letters else [])]
    yield from kafka.missing((facts.settings.topic, facts.settings.dead_letter_topic), every)


def _durability(facts: Facts) -> Iterator[Finding | Gap]:
    found = facts.cluster()
    topics = [*found.topics, *([found.letters] if found.letters else [])]
    yield from kafka.durability(topics, brokers=found.brokers)
    yield from _missing_topics(facts)


def _retention(facts: Facts) -> Iterator[Finding | Gap]:
    found = facts.cluster()
    yield from kafka.retention(found.topics, found.letters, facts.settings)
    yield from _missing_topics(facts)


def _default_user(facts: Facts) -> Iterator[Finding]:
    if facts.default_user_is_open():
        yield clickhouse.DEFAULT_OPEN.found("ClickHouse admits the user default without a password.")


def _account(facts: Facts) -> Iterator[Finding]:
    settings = facts.settings
    yield from clickhouse.own_grants(
        facts.own_grants(),
        user=settings.clickhouse_user,
        role=facts.role,
        database=settings.clickhouse_database,
        groups=facts.groups(),
    )


def _roles(facts: Facts) -> Iterator[Finding]:
    settings = facts.settings
    yield from clickhouse.role_grants(
        facts.access(), database=settings.clickhouse_database, user=settings.clickhouse_user, groups=facts.groups()
    )


def _row_policies(facts: Facts) -> Iterator[Finding]:
    settings = facts.settings
    yield from clickhouse.row_policies(
        facts.access(), database=settings.clickhouse_database, user=settings.clickhouse_user
    )


def _replication(facts: Facts) -> Iterator[Finding | Gap]:
    tables = facts.tables()
    if "events" in tables.engines:
        yield from clickhouse.replication(tables)
    else:
        yield Gap("The table events does not exist.", "Run: auditlane init")


def _disks(facts: Facts) -> Iterator[Finding]:
    yield from disks.judge(facts.local_disks())
    yield from disks.judge(facts.store_disks())


CHECKS: Final = (
    Check(
        "authentication",
        "the credentials for Kafka, the registry and ClickHouse in the settings",
        "",
        (configuration.KAFKA_OPEN, configuration.REGISTRY_OPEN, configuration.STORE_OPEN),
        lambda facts: configuration.authentication(facts.settings),
    ),
    Check(
        "passwords",
        "the passwords in the settings: common ones, and those shorter than `AUDITLANE_SECURITY_PASSWORD_LENGTH`",
        "",
        (configuration.COMMON_PASSWORD, configuration.SHORT_PASSWORD),
        lambda facts: configuration.passwords(facts.settings),
    ),
    Check(
        "addresses",
        "the public URL, the issuer, and the origins in the settings: each should be `https://`",
        "",
        (configuration.LINKS, configuration.ISSUER, configuration.ORIGIN),
        lambda facts: configuration.links(facts.settings),
    ),
    Check(
        "limits",
        "limits in the settings that are switched off",
        "",
        (
            configuration.PROXIES,
            configuration.ROWS_UNLIMITED,
            configuration.RATE_UNLIMITED,
            configuration.TOKEN_LIFETIME,
        ),
        lambda facts: configuration.limits(facts.settings),
    ),
    Check(
        "encryption",
        "the connections to Kafka, the registry and ClickHouse on other machines",
        "",
        (transport.KAFKA_PLAIN, transport.REGISTRY_PLAIN, transport.STORE_PLAIN, transport.UNVERIFIED),
        lambda facts: transport.encryption(facts.settings),
    ),
    Check(
        "certificates",
        "the certificates of every `https://` and TLS address in the settings (the proxy of `serve` included), and "
        "certificate files of up to three certificates",
        "A connection to each of these addresses.",
        (transport.EXPIRED, transport.UNTRUSTED, transport.EXPIRES_SOON, transport.EXPIRES),
        _certificates,
    ),
    Check(
        "listening-addresses",
        "the addresses in the settings, and those on which this user's processes of auditlane listen",
        "Linux, for the processes.",
        (listeners.EMBEDDED, listeners.WORKER, listeners.SERVE),
        _listeners,
    ),
    Check(
        "files",
        "mode and owner of the files of keys, passwords and TLS keys, and of the folders of data, exports and spooled "
        "audit events",
        "Access to the folders: run the check as the user who runs auditlane.",
        (files.REPLACEABLE, files.READABLE, files.OWNER),
        _files,
    ),
    Check(
        "keys",
        "the age of clients' secrets, signing keys and provenance keys, and whether their secrets are random",
        "Access to the files of keys.",
        (keys.GUESSABLE, keys.OLD_CLIENT, keys.OLD_SIGNING, keys.OLD_PROVENANCE, keys.OPERATOR_FOREVER),
        _keys,
    ),
    Check(
        "kafka-authorizer",
        "whether the brokers have an authorizer; Kafka does not reveal `super.users`",
        "The Kafka permissions Describe and DescribeConfigs on the cluster.",
        (kafka.NO_AUTHORIZER,),
        _authorizer,
    ),
    Check(
        "kafka-broker",
        "one broker's configuration: its listeners, and whether it creates topics by itself",
        "The Kafka permission DescribeConfigs on the cluster.",
        (kafka.LISTENER_OPEN, kafka.LISTENER_PLAIN, kafka.AUTO_CREATES),
        _broker,
    ),
    Check(
        "kafka-acls",
        "the ACLs of the events topic, dedicated topics, the dead-letter topic and the workers' group",
        "The Kafka permissions Describe and DescribeConfigs on the cluster.",
        (
            kafka.ANYONE_WRITES,
            kafka.ANYONE_READS,
            kafka.ANYONE_LETTERS,
            kafka.ANYONE_JOINS,
            kafka.WITHOUT_ACL,
            kafka.WRITERS,
        ),
        _acls,
    ),
    Check(
        "topic-durability",
        "replicas, `min.insync.replicas` and leader election of the topics",
        _DESCRIBE_TOPICS,
        (kafka.MIN_ISR, kafka.UNCLEAN, kafka.REPLICAS),
        _durability,
    ),
    Check(
        "topic-retention",
        "retention, compaction and timestamps of the topics",
        _DESCRIBE_TOPICS,
        (kafka.COMPACTED, kafka.RETENTION, kafka.RETENTION_BYTES, kafka.LETTERS_EXPIRE, kafka.TIMESTAMPS),
        _retention,
    ),
    Check(
        "clickhouse-default-user",
        "whether ClickHouse admits the user `default` without a password, by one attempt to sign in",
        "A connection to ClickHouse.",
        (clickhouse.DEFAULT_OPEN,),
        _default_user,
    ),
    Check(
        "clickhouse-passwords",
        "users of ClickHouse without a password",
        _SHOW_ACCESS,
        (clickhouse.NO_PASSWORD,),
        lambda facts: clickhouse.no_password(facts.access()),
    ),
    Check(
        "clickhouse-account",
        "the privileges of the account in the settings, compared with [its role](../operate/cluster.md#roles): `query` "
        "in `serve`, `init` for the command",
        "ClickHouse 24.8 or later.",
        (clickhouse.ACCOUNT_TOO_BROAD,),
        _account,
    ),
    Check(
        "clickhouse-roles",
        "the privileges of auditlane's [roles](../operate/cluster.md#roles) and of their users, compared with those "
        "that they need",
        _SHOW_ACCESS,
        (clickhouse.ROLE_TOO_BROAD,),
        _roles,
    ),
    Check(
        "clickhouse-row-policies",
        "row policies that hide rows from auditlane, and other accounts that read events without one",
        _SHOW_ACCESS,
        (clickhouse.ROWS_HIDDEN, clickhouse.OTHER_READERS),
        _row_policies,
    ),
    Check(
        "clickhouse-replication",
        "replicated tables on a cluster, read-only, late and missing replicas",
        "A ClickHouse account with SELECT ON system.*",
        (
            clickhouse.NOT_REPLICATED,
            clickhouse.READ_ONLY,
            clickhouse.FEW_REPLICAS,
            clickhouse.REPLICA_LATE,
            clickhouse.ONE_COPY,
        ),
        _replication,
    ),
    Check(
        "disks",
        "free space on the disks of the folders in the settings and on ClickHouse's",
        "A ClickHouse account with SELECT ON system.*",
        (disks.FULL, disks.FILLING),
        _disks,
    ),
)

RULES: Final[dict[str, Rule]] = {rule.code: rule for check in CHECKS for rule in check.rules}
