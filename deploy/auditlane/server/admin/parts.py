"""Checks the health of every component from this process."""

from __future__ import annotations

from contextlib import closing
from typing import Final, Literal

from confluent_kafka import KafkaException

from auditlane.access.oidc import Oidc
from auditlane.contract.registry_client import registry_client
from auditlane.contract.tenants import base_subject
from auditlane.contract.topics import admin
from auditlane.observe.canary.canary import Canary
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.settings import Settings
from auditlane.server.admin.localized import LocalizedText, Phrase, counted, localized
from auditlane.server.admin.models import Lag, PartHealth
from auditlane.server.auth.authentication import Authenticator
from auditlane.server.pages.i18n import N_
from auditlane.server.probes import Probe
from auditlane.trail.sink import ServiceAuditSink

ASK_S: Final = 5.0


def store(probe: Probe) -> PartHealth:
    """Check that ClickHouse responds and has the view that queries read."""
    part = probe.part()
    return PartHealth(name="clickhouse", state=part.state, problem=part.problem)


def kafka(settings: Settings) -> PartHealth:
    """Check that brokers respond and both topics exist."""
    if not settings.kafka_bootstrap:
        return PartHealth(name="kafka", state="off", problem=_not_set("AUDITLANE_KAFKA_BOOTSTRAP"))
    try:
        found = admin(settings).list_topics(timeout=ASK_S)
    except KafkaException as error:
        problem = localized("Kafka is not responding: %(reason)s.", reason=error.args[0].str())
        return PartHealth(name="kafka", state="away", problem=problem)
    except AuditlaneError as error:
        return PartHealth(name="kafka", state="away", problem=str(error))
    missing = [name for name in (settings.topic, settings.dead_letter_topic) if name not in found.topics]
    if missing:
        problem = localized("Topic not found: %(names)s. Run `auditlane init`.", names=", ".join(missing))
        return PartHealth(name="kafka", state="away", problem=problem)
    brokers = counted("%(count)s broker", "%(count)s brokers", len(found.brokers))
    return PartHealth(name="kafka", state="up", detail=LocalizedText(brokers))


def registry(settings: Settings) -> PartHealth:
    """Check that the registry responds and has the base event."""
    if not settings.registry_url:
        return PartHealth(name="registry", state="off", problem=_not_set("AUDITLANE_REGISTRY_URL"))
    try:
        with closing(registry_client(settings)) as client:
            subjects = client.subjects()
    except AuditlaneError as error:
        return PartHealth(name="registry", state="away", problem=str(error))
    if base_subject(settings.topic) not in subjects:
        problem = localized("Subject not found: %(name)s. Run `auditlane init`.", name=base_subject(settings.topic))
        return PartHealth(name="registry", state="away", problem=problem)
    known = counted("%(count)s subject", "%(count)s subjects", len(subjects))
    return PartHealth(name="registry", state="up", detail=LocalizedText(known))


def workers(lag: Lag) -> PartHealth:
    """Check that every partition with lag is assigned, and that its worker makes progress."""
    members = len({partition.member for partition in lag.partitions if partition.member})
    detail = [
        counted("%(count)s member", "%(count)s members", members),
        counted("%(count)s message behind", "%(count)s messages behind", lag.lag),
    ]
    if lag.lag:
        detail.append(Phrase(N_("oldest message: %(age)s s"), values={"age": lag.age_s}))
    if lag.abandoned or not members:
        unassigned = counted(
            "No worker is assigned to %(count)s partition.",
            "No worker is assigned to %(count)s partitions.",
            lag.abandoned,
        )
        problem = LocalizedText(unassigned) if lag.abandoned else localized("The consumer group has no members.")
        return PartHealth(name="workers", state="away", detail=LocalizedText(*detail), problem=problem)
    failing = [partition for partition in lag.partitions if partition.failing_s is not None]
    if failing:
        slowest = max(failing, key=lambda partition: partition.failing_s or 0.0)
        problem = localized(
            "%(partition)s has made no progress for %(seconds)s s: %(reason)s",
            partition=f"{slowest.topic}[{slowest.partition}]",
            seconds=float(slowest.failing_s or 0.0),
            reason=slowest.error,
        )
        return PartHealth(name="workers", state="stale", detail=LocalizedText(*detail), problem=problem)
    return PartHealth(name="workers", state="up", detail=LocalizedText(*detail))


def files(authenticator: Authenticator) -> list[PartHealth]:
    """Return the state of the keys file and the signing keys."""
    return [
        PartHealth(
            name="keys",
            state="stale" if authenticator.keys.problem else "up",
            problem=authenticator.keys.problem or None,
        ),
        PartHealth(
            name="signing-keys",
            state="stale" if authenticator.signing.problem else "up",
            problem=authenticator.signing.problem or None,
        ),
    ]


def issuer(oidc: Oidc | None) -> PartHealth:
    """Return the external token issuer's state, according to the last request for its keys."""
    if oidc is None:
        return PartHealth(name="issuer", state="off")
    problem = oidc.keys.problem
    state: Literal["up", "stale", "away"] = "up" if not problem else "stale" if oidc.keys.usable else "away"
    return PartHealth(name="issuer", state=state, detail=oidc.policy.issuer, problem=problem or None)


def trail(sink: ServiceAuditSink) -> PartHealth:
    """Return the state of the service's own audit trail."""
    if sink.waiting is None:
        return PartHealth(name="trail", state="off", problem=sink.problem or None)
    state: Literal["up", "stale"] = "stale" if sink.problem else "up"
    waiting = LocalizedText(
        counted("%(count)s event waiting to be emitted", "%(count)s events waiting to be emitted", sink.waiting)
    )
    return PartHealth(name="trail", state=state, detail=waiting, problem=sink.problem or None)


def canary(sends: Canary | None) -> PartHealth:
    """Return the state of this process's canary, which is off if disabled or run by another process."""
    status = sends.status if sends else None
    if sends is None or status is None:
        return PartHealth(name="canary", state="off")
    if problem := sends.complaint():
        return PartHealth(name="canary", state="stale", problem=problem)
    seconds = (status.last.visible_s if status.last else None) or 0.0
    return PartHealth(name="canary", state="up", detail=localized("visible after %(seconds)s s", seconds=seconds))


def _not_set(variable: str) -> LocalizedText:
    return localized("%(variable)s is not set for `auditlane serve`.", variable=variable)
