"""Checks access to the registry, and the base event of this release."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from auditlane.contract.avro import base_schema
from auditlane.contract.registry_client import registry_client
from auditlane.contract.registry_reader import newest_complete
from auditlane.contract.subjects import COMPATIBILITY, SUFFICIENT, describe_incomplete
from auditlane.contract.tenants import base_subject
from auditlane.local.doctor.finding import Finding, fail, ok, warn
from auditlane.runtime.errors import SchemaNotFound
from auditlane.runtime.settings import Settings

PART = "registry"


def check(settings: Settings) -> Iterator[Finding]:
    """Yield every finding about the registry. Raises RegistryUnavailable and RegistryRefused."""
    with contextlib.closing(registry_client(settings)) as client:
        count = len(client.subjects())
        yield ok(PART, f"{settings.registry_url} responds, {count} subject{'s' if count != 1 else ''}")
        subject = base_subject(settings.topic)
        try:
            latest = client.latest(subject)
        except SchemaNotFound:
            yield fail(PART, f"Subject {subject} does not exist.", "Run: auditlane init")
            return
        whole = newest_complete(client, subject)
        if whole.schema_id != latest.schema_id:
            yield warn(PART, describe_incomplete(subject, latest, whole))
        elif client.lookup(subject, json.dumps(base_schema())) is None:
            yield warn(
                PART,
                f"Subject {subject} (version {latest.version}) does not contain this release's event.",
                "Run auditlane init, which reports whether the schema can be registered.",
            )
        else:
            yield ok(PART, f"subject {subject} contains this release's event")
        yield compatibility_finding(subject, client.compatibility(subject), client.own_compatibility(subject))


def compatibility_finding(subject: str, effective: str, own: str | None) -> Finding:
    """Check a subject's compatibility level. `own` is None if the global level applies."""
    if effective in SUFFICIENT:
        return ok(PART, f"subject {subject} has the compatibility {effective}")
    source = "" if own else ", the registry's global level"
    return fail(
        PART,
        f"Subject {subject} has the compatibility {effective}{source}: a version could be registered with which stored "
        "events cannot be read.",
        f'Send PUT /config/{subject} with {{"compatibility": "{COMPATIBILITY}"}} to the registry.',
    )
