"""The base subject of a topic: registered once, with BACKWARD compatibility, and never changed silently."""

from __future__ import annotations

import json
from dataclasses import dataclass

from auditlane.contract.avro import base_schema
from auditlane.contract.incomplete_versions import lacking, newest_whole
from auditlane.contract.registry import Registered, RegistryClient
from auditlane.contract.tenant_contract import check_registrable
from auditlane.contract.tenants import base_subject
from auditlane.runtime.errors import SchemaNotFound

COMPATIBILITY = "BACKWARD"
# At least as strict for readers: each of these implies that a newer reader follows older data.
_SUFFICIENT = frozenset({"BACKWARD", "BACKWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"})


@dataclass(frozen=True, slots=True)
class SubjectReport:
    """What `ensure_base_subject` found and did. `drift` holds one sentence for each difference that it left alone."""

    subject: str
    version: int
    schema_id: int
    created: bool
    compatibility: str
    drift: tuple[str, ...] = ()


def ensure_base_subject(client: RegistryClient, topic: str) -> SubjectReport:
    """Register the base event under the topic's subject unless the subject exists; any number may do so at once.

    An existing subject is only looked at: another latest schema or a weaker level is reported as drift. Raises what
    RegistryClient raises.
    """
    subject = base_subject(topic)
    schema = json.dumps(base_schema())
    try:
        client.latest(subject)
        created = False
    except SchemaNotFound:
        # The level first: a subject is never there without it.
        client.set_compatibility(subject, COMPATIBILITY)
        client.register(subject, schema)
        created = True
    return _report(client, subject, schema, created)


def stray(subject: str, latest: Registered, whole: Registered) -> str:
    """A sentence about a newest version that lacks base fields, so that another one is written with."""
    missing = lacking(latest.schema)
    return (
        f"Subject {subject} has a newest version {latest.version} (id {latest.schema_id}) without base fields "
        f"({', '.join(missing[:3])}{', …' * (len(missing) > 3)}), as serializers register with auto.register.schemas; "
        f"emitters write with version {whole.version} (id {whole.schema_id}). Switch that off, and delete version "
        f"{latest.version} once nothing is written with it."
    )


def _report(client: RegistryClient, subject: str, schema: str, created: bool) -> SubjectReport:
    latest = client.latest(subject)
    level = client.compatibility(subject)
    drift: list[str] = []
    ours = client.lookup(subject, schema)
    whole = newest_whole(client, subject)
    if whole.schema_id != latest.schema_id:
        drift.append(stray(subject, latest, whole))
    elif not check_registrable(latest.schema):
        pass  # this release's event, maybe with the environment's own fields
    elif ours is None:
        reasons = client.check(subject, schema)
        may = "it could follow; register it to upgrade" if not reasons else "it could not follow: " + "; ".join(reasons)
        drift.append(
            f"Subject {subject} holds version {latest.version} (id {latest.schema_id}), not the event of this release: "
            f"{may}."
        )
    elif ours.version != latest.version:
        drift.append(
            f"Subject {subject} is at version {latest.version}; this release's event is its version {ours.version}."
        )
    if level not in _SUFFICIENT:
        drift.append(f"Subject {subject} has compatibility {level}, not {COMPATIBILITY}.")
    found = ours or whole
    return SubjectReport(subject, found.version, found.schema_id, created, level, tuple(drift))
