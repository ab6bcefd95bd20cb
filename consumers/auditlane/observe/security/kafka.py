"""Findings about Kafka's access control, and about settings that may lose acknowledged events. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from auditlane.observe.security.findings import Finding, Gap, Rule, Severity
from auditlane.runtime import validators
from auditlane.runtime.settings import Settings

EVERYONE: Final = "User:*"
_ENOUGH_BROKERS: Final = 3
_SHOWN: Final = 5  # maximum number of topics listed in a finding
_HOUR_MS: Final = 3_600_000

NO_AUTHORIZER: Final = Rule(
    "kafka-without-acls",
    Severity.high,
    "Every user of Kafka can write any tenant's events, and delete the topics.",
    "Set authorizer.class.name on the brokers, and add ACLs for producers, workers and serve.",
)
LISTENER_OPEN: Final = Rule(
    "kafka-listener-unauthenticated",
    Severity.high,
    "Everyone who reaches the listener can do what Kafka permits the user ANONYMOUS, without a password.",
    "Use SASL_SSL for the listener in listener.security.protocol.map, or SSL with ssl.client.auth=required.",
)
LISTENER_PLAIN: Final = Rule(
    "kafka-listener-without-tls",
    Severity.high,
    "Everyone on the network path can read events and the passwords of the clients that use the listener.",
    "Use SASL_SSL or SSL for the listener in listener.security.protocol.map, or remove it from listeners.",
)
AUTO_CREATES: Final = Rule(
    "kafka-auto-creates-topics",
    Severity.low,
    "A producer with a wrong topic name creates the topic, and its events are never stored.",
    "Set auto.create.topics.enable=false on the brokers; auditlane init creates the topics.",
)
WITHOUT_ACL: Final = Rule(
    "kafka-topic-without-acl",
    Severity.medium,
    "Either every part uses a super user, which may do everything, or Kafka admits everyone where there is no ACL.",
    "Give each part a user of its own with ACLs, and set allow.everyone.if.no.acl.found=false on the brokers.",
)
ANYONE_WRITES: Final = Rule(
    "kafka-anyone-writes-events",
    Severity.critical,
    "Every user of Kafka can write any tenant's events.",
    "Replace the ACL with one for each producer: kafka-acls --remove and --add.",
)
ANYONE_READS: Final = Rule(
    "kafka-anyone-reads-events",
    Severity.critical,
    "Every user of Kafka can read every tenant's events.",
    "Replace the ACL with one for the workers and the operators: kafka-acls --remove and --add.",
)
ANYONE_LETTERS: Final = Rule(
    "kafka-anyone-writes-dead-letters",
    Severity.high,
    "Every user of Kafka can add dead letters, which an operator might replay.",
    "Replace the ACL with one for the workers: kafka-acls --remove and --add.",
)
ANYONE_JOINS: Final = Rule(
    "kafka-anyone-joins-group",
    Severity.high,
    "Every user of Kafka can join the workers' group and commit offsets past events that were not stored.",
    "Replace the ACL with one for the workers: kafka-acls --remove and --add.",
)
WRITERS: Final = Rule(
    "kafka-event-writers",
    Severity.info,
    "Each of them can write any tenant's events.",
    "Remove the ACL of each principal that is neither a producer nor one of auditlane's components.",
)
REPLICAS: Final = Rule(
    "topic-without-replicas",
    Severity.medium,
    "The loss of one broker's disk loses events that Kafka has acknowledged.",
    "Use three replicas: kafka-reassign-partitions, and AUDITLANE_TOPIC_REPLICATION_FACTOR for new topics.",
)
MIN_ISR: Final = Rule(
    "topic-min-isr",
    Severity.high,
    "Kafka acknowledges events that only one broker has, and the loss of that broker loses them.",
    "Set min.insync.replicas=2 on the topic.",
)
UNCLEAN: Final = Rule(
    "topic-unclean-election",
    Severity.high,
    "A replica that lacks acknowledged events can become the leader, and these events are lost.",
    "Set unclean.leader.election.enable=false on the topic.",
)
RETENTION: Final = Rule(
    "topic-retention-short",
    Severity.high,
    "Kafka deletes events that workers have not stored if they are down for longer.",
    "Set retention.ms to at least a week and to AUDITLANE_TOPIC_RETENTION_HOURS.",
)
RETENTION_BYTES: Final = Rule(
    "topic-retention-bytes",
    Severity.medium,
    "One tenant's flood of events makes Kafka delete events of others that workers have not stored.",
    "Set retention.bytes=-1 on the topic.",
)
LETTERS_EXPIRE: Final = Rule(
    "dead-letters-expire",
    Severity.medium,
    "Rejected events that are not replayed in time are lost.",
    "Set retention.ms=-1 and retention.bytes=-1 on the topic.",
)
COMPACTED: Final = Rule(
    "topic-compacted",
    Severity.critical,
    "Messages are keyed by tenant, so that compaction deletes all but the newest event of each tenant.",
    "Set cleanup.policy=delete on the topic.",
)
TIMESTAMPS: Final = Rule(
    "topic-producer-timestamps",
    Severity.medium,
    "A producer can claim an earlier time, so that its copy of an event takes precedence over the first one.",
    "Set message.timestamp.type=LogAppendTime on the topic.",
)


@dataclass(frozen=True, slots=True)
class Acl:
    """An ACL. `operation` is Kafka's name for it in lower case, such as `write` or `all`."""

    kind: Literal["topic", "group", "other"]
    name: str
    prefixed: bool
    principal: str
    operation: str
    allow: bool = True

    def covers(self, kind: str, name: str) -> bool:
        """Return whether the ACL applies to the resource."""
        if self.kind != kind:
            return False
        return name.startswith(self.name) if self.prefixed else self.name in ("*", name)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and its options. `replicas` is the lowest number of replicas that any of its partitions has."""

    name: str
    replicas: int
    config: Mapping[str, str] = field(default_factory=dict)


def authorizer(acls: Sequence[Acl] | None) -> Iterator[Finding]:
    """Yield a finding if the brokers have no access control. `acls` is None if there is no authorizer."""
    if acls is None:
        yield NO_AUTHORIZER.found("The brokers have no authorizer.")


def broker(options: Mapping[str, str]) -> Iterator[Finding]:
    """Yield findings about the configuration of a broker: its listeners, and automatic topic creation.

    Listeners on a loopback address do not need TLS.
    """
    protocols = dict(_pairs(options.get("listener.security.protocol.map", "")))
    for listener, address in _pairs(options.get("listeners", "")):
        protocol = protocols.get(listener.upper(), listener).upper()
        host, _, port = address.removeprefix("//").rpartition(":")
        shown = f"The listener {listener} on port {port} uses {protocol}"
        if protocol == "PLAINTEXT" or (protocol == "SSL" and not _asks_for_certificates(options, listener)):
            yield LISTENER_OPEN.found(f"{shown}, which admits clients without a credential.")
        if not protocol.endswith("SSL") and not validators.is_loopback(host.strip("[]")):
            yield LISTENER_PLAIN.found(f"{shown}, which does not encrypt.")
    if options.get("auto.create.topics.enable") == "true":
        yield AUTO_CREATES.found("The brokers have auto.create.topics.enable=true.")


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the (name, value) pairs of a list such as `A:SSL,B:PLAINTEXT`."""
    for entry in filter(None, map(str.strip, text.split(","))):
        name, _, value = entry.partition(":")
        yield name, value


def _asks_for_certificates(options: Mapping[str, str], listener: str) -> bool:
    own = options.get(f"listener.name.{listener.lower()}.ssl.client.auth")
    return (own or options.get("ssl.client.auth", "none")) == "required"


def grants(acls: Sequence[Acl] | None, *, topics: Sequence[str], dead_letters: str, group: str) -> Iterator[Finding]:
    """Yield findings about the users that may write or read events, write dead letters, or join the workers' group.

    `topics` are the topics with events. Without an authorizer, there are no grants and therefore no findings.
    """
    if acls is None:
        return
    writable: dict[frozenset[str], list[str]] = {}
    for name in topics:
        if not any(acl.covers("topic", name) for acl in acls):
            yield WITHOUT_ACL.found(f"No ACL applies to {name}.")
        if EVERYONE in (writers := principals(acls, "topic", name, "write")):
            yield ANYONE_WRITES.found(f"An ACL lets {EVERYONE} write to {name}.")
        elif writers:
            writable.setdefault(frozenset(writers), []).append(name)
        if EVERYONE in principals(acls, "topic", name, "read"):
            yield ANYONE_READS.found(f"An ACL lets {EVERYONE} read {name}.")
    for shared, names in writable.items():
        more = f" and {len(names) - _SHOWN} more topics" if len(names) > _SHOWN else ""
        yield WRITERS.found(f"These may write to {', '.join(names[:_SHOWN])}{more}: {', '.join(sorted(shared))}.")
    if EVERYONE in principals(acls, "topic", dead_letters, "write"):
        yield ANYONE_LETTERS.found(f"An ACL lets {EVERYONE} write to {dead_letters}.")
    if EVERYONE in principals(acls, "group", group, "read"):
        yield ANYONE_JOINS.found(f"An ACL lets {EVERYONE} join {group}.")


def principals(acls: Iterable[Acl], kind: str, name: str, operation: str) -> set[str]:
    """Return the principals that may perform an operation on a resource. An ACL that denies takes precedence."""
    relevant = [acl for acl in acls if acl.operation in (operation, "all") and acl.covers(kind, name)]
    denied = {acl.principal for acl in relevant if not acl.allow}
    return set() if EVERYONE in denied else {acl.principal for acl in relevant if acl.allow} - denied


def durability(topics: Iterable[Topic], *, brokers: int) -> Iterator[Finding]:
    """Yield findings about settings that could lose acknowledged events if one of the `brokers` fails."""
    for topic in topics:
        if topic.replicas < 2:
            of = f" of {brokers}" if brokers >= _ENOUGH_BROKERS else ""
            yield REPLICAS.found(f"{topic.name} is on one broker{of} only.")
        elif _number(topic, "min.insync.replicas", 1) < 2:
            yield MIN_ISR.found(f"{topic.name} has min.insync.replicas=1 with {topic.replicas} replicas.")
        if topic.config.get("unclean.leader.election.enable", "false") == "true":
            yield UNCLEAN.found(f"{topic.name} has unclean.leader.election.enable=true.")


def retention(topics: Iterable[Topic], letters: Topic | None, settings: Settings) -> Iterator[Finding]:
    """Yield findings about messages that Kafka deletes too early. `letters` is the dead-letter topic."""
    for topic in topics:
        kept = _number(topic, "retention.ms", -1)
        if 0 <= kept < settings.topic_retention_hours * _HOUR_MS:
            hours = settings.topic_retention_hours
            yield RETENTION.found(f"{topic.name} keeps messages for {kept / _HOUR_MS:.4g} hours, not {hours}.")
        if _number(topic, "retention.bytes", -1) >= 0:
            yield RETENTION_BYTES.found(f"{topic.name} has retention.bytes={topic.config['retention.bytes']}.")
        yield from _policy(topic)
        if topic.config.get("message.timestamp.type", "LogAppendTime") != "LogAppendTime":
            yield TIMESTAMPS.found(f"{topic.name} has message.timestamp.type={topic.config['message.timestamp.type']}.")
    if letters:
        if _number(letters, "retention.ms", -1) >= 0 or _number(letters, "retention.bytes", -1) >= 0:
            yield LETTERS_EXPIRE.found(f"{letters.name} does not keep messages forever.")
        yield from _policy(letters)


def _policy(topic: Topic) -> Iterator[Finding]:
    if "compact" in topic.config.get("cleanup.policy", "delete"):
        yield COMPACTED.found(f"{topic.name} has cleanup.policy={topic.config['cleanup.policy']}.")


def _number(topic: Topic, option: str, default: int) -> int:
    return int(topic.config.get(option, default))


def missing(names: Iterable[str], found: Iterable[Topic]) -> Iterator[Gap]:
    """Yield a Gap for each topic that does not exist, or that this user may not describe."""
    have = {topic.name for topic in found}
    for name in names:
        if name not in have:
            yield Gap(f"Topic {name} does not exist, or may not be described.", "Run: auditlane init")
