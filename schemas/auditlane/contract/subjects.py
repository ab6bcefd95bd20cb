"""Registers a topic's base subject once, with BACKWARD compatibility. It is never changed silently."""

from __future__ import annotations

import json
from dataclasses import dataclass

from auditlane.contract.avro import base_schema
from auditlane.contract.registry import Registered, RegistryClient
from auditlane.contract.registry_reader import missing_base_fields, newest_complete
from auditlane.contract.tenant_contract import check_registrable
from auditlane.contract.tenants import base_subject
from auditlane.runtime.errors import SchemaNotFound

COMPATIBILITY = "BACKWARD"
# Levels at least as strict as BACKWARD: with each of them, a newer reader can read older data.
SUFFICIENT = frozenset({"BACKWARD", "BACKWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"})


@dataclass(frozen=True, slots=True)
class SubjectReport:
    """The result of `ensure_base_subject`. `drift` contains one sentence per difference. Differences are not
    corrected.
    """

    subject: str
    version: int
    schema_id: int
    created: bool
    compatibility: str
    drift: tuple[str, ...] = ()


def ensure_base_subject(client: RegistryClient, topic: str) -> SubjectReport:
    """Register the base event under the topic's subject, unless the subject exists. Safe to call concurrently.

    An existing subject is not changed. A different latest schema or a weaker compatibility level is reported as drift.
    Propagates RegistryClient's errors.
    """
    subject = base_subject(topic)
    schema = json.dumps(base_schema())
    try:
        client.latest(subject)
        created = False
    except SchemaNotFound:
        # The level is set first, so that the subject never exists without it.
        client.set_compatibility(subject, COMPATIBILITY)
        client.register(subject, schema)
        created = True
    return _report(client, subject, schema, created)


def describe_incomplete(subject: str, latest: Registered, whole: Registered) -> str:
    """Describe a newest version that lacks base fields, which makes emitters use an older one."""
    missing = missing_base_fields(latest.schema)
    return (
        f"The newest version {latest.version} (id {latest.schema_id}) of subject {subject} lacks base fields "
        f"({', '.join(missing[:3])}{', …' * (len(missing) > 3)}), as registered by a serializer with "
        f"auto.register.schemas; emitters use version {whole.version} (id {whole.schema_id}). Switch that option off, "
        f"and delete version {latest.version} once no producer uses it."
    )


def _report(client: RegistryClient, subject: str, schema: str, created: bool) -> SubjectReport:
    latest = client.latest(subject)
    level = client.compatibility(subject)
    drift: list[str] = []
    ours = client.lookup(subject, schema)
    whole = newest_complete(client, subject)
    if whole.schema_id != latest.schema_id:
        drift.append(describe_incomplete(subject, latest, whole))
    elif not check_registrable(latest.schema):
        pass  # this release's event, possibly with the environment's own fields
    elif ours is None:
        reasons = client.check(subject, schema)
        advice = "; ".join(reasons) if reasons else "register it to upgrade"
        compatible = "incompatible" if reasons else "compatible"
        drift.append(
            f"Subject {subject} has version {latest.version} (id {latest.schema_id}), which is not this release's "
            f"event; that event would be {compatible}: {advice}."
        )
    elif ours.version != latest.version:
        drift.append(
            f"Subject {subject} is at version {latest.version}, but this release's event is its version {ours.version}."
        )
    if level not in SUFFICIENT:
        drift.append(f"Subject {subject} has compatibility {level}, not {COMPATIBILITY}.")
    found = ours or whole
    return SubjectReport(subject, found.version, found.schema_id, created, level, tuple(drift))
