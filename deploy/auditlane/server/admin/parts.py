"""The health of every part, as far as this process can tell."""

from __future__ import annotations

from contextlib import closing
from typing import Final, Literal

from confluent_kafka import KafkaException

from auditlane.access.oidc import Oidc
from auditlane.contract.connect import registry_client
from auditlane.contract.tenants import base_subject
from auditlane.contract.topics import admin
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.settings import Settings
from auditlane.server.admin.models import Lag, PartHealth
from auditlane.server.gate import Gate
from auditlane.server.trail import OwnTrail

ASK_S: Final = 5.0


def kafka(settings: Settings) -> PartHealth:
    """Whether brokers answer and both topics are there."""
    if not settings.kafka_bootstrap:
        return PartHealth(name="kafka", state="off", problem="AUDITLANE_KAFKA_BOOTSTRAP is not set where `serve` runs.")
    try:
        found = admin(settings).list_topics(timeout=ASK_S)
    except KafkaException as error:
        return PartHealth(name="kafka", state="away", problem=f"Kafka does not answer: {error.args[0].str()}.")
    except AuditlaneError as error:
        return PartHealth(name="kafka", state="away", problem=str(error))
    missing = [name for name in (settings.topic, settings.dead_letter_topic) if name not in found.topics]
    if missing:
        problem = f"There is no topic {', '.join(missing)}. Run `auditlane init`."
        return PartHealth(name="kafka", state="away", problem=problem)
    return PartHealth(name="kafka", state="up", detail=_many(len(found.brokers), "broker"))


def registry(settings: Settings) -> PartHealth:
    """Whether the registry answers and knows the event."""
    if not settings.registry_url:
        return PartHealth(name="registry", state="off", problem="AUDITLANE_REGISTRY_URL is not set where `serve` runs.")
    try:
        with closing(registry_client(settings)) as client:
            subjects = client.subjects()
    except AuditlaneError as error:
        return PartHealth(name="registry", state="away", problem=str(error))
    if base_subject(settings.topic) not in subjects:
        problem = f"There is no subject {base_subject(settings.topic)}. Run `auditlane init`."
        return PartHealth(name="registry", state="away", problem=problem)
    return PartHealth(name="registry", state="up", detail=_many(len(subjects), "subject"))


def workers(lag: Lag) -> PartHealth:
    """Whether somebody works on every partition that has something to do."""
    members = len({one.member for one in lag.partitions if one.member})
    detail = f"{_many(members, 'member')}, {_many(lag.lag, 'message')} behind"
    detail += f", the oldest {lag.age_s:.1f} s old" if lag.lag else ""
    if lag.abandoned or not members:
        problem = (
            f"Nobody works on {_many(lag.abandoned, 'partition')}." if lag.abandoned else "The group has no member."
        )
        return PartHealth(name="workers", state="away", detail=detail, problem=problem)
    return PartHealth(name="workers", state="up", detail=detail)


def files(gate: Gate) -> list[PartHealth]:
    """The two files of credentials."""
    return [
        PartHealth(name="keys", state="stale" if gate.keys.problem else "up", problem=gate.keys.problem or None),
        PartHealth(
            name="signing-keys", state="stale" if gate.signing.problem else "up", problem=gate.signing.problem or None
        ),
    ]


def issuer(oidc: Oidc | None) -> PartHealth:
    """The foreign token issuer, by the last time its keys were asked for."""
    if oidc is None:
        return PartHealth(name="issuer", state="off")
    problem = oidc.keys.problem
    state: Literal["up", "stale", "away"] = "up" if not problem else "stale" if oidc.keys.usable else "away"
    return PartHealth(name="issuer", state=state, detail=oidc.policy.issuer, problem=problem or None)


def trail(own: OwnTrail) -> PartHealth:
    """Our own audit trail."""
    if own.waiting is None:
        return PartHealth(name="trail", state="off", problem=own.problem or None)
    state: Literal["up", "stale"] = "stale" if own.problem else "up"
    return PartHealth(
        name="trail", state=state, detail=f"{_many(own.waiting, 'event')} to emit", problem=own.problem or None
    )


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
