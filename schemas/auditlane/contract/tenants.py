"""Tenant ids and the names derived from them: message keys, topics and subjects.

A tenant id is valid in the names of topics and subjects, and never contains `#`, which separates the shard in a message
key.
"""

from __future__ import annotations

import re
from typing import Final

from auditlane.runtime.errors import InvalidEvent

TENANT_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
# the tenant of auditlane's own events, which the SDK and the importer reject for other events
OURS: Final = "_auditlane"
_TENANT = re.compile(TENANT_PATTERN)


def is_tenant(tenant: str) -> bool:
    """Return whether this is a valid tenant id, including auditlane's own."""
    return tenant == OURS or _TENANT.fullmatch(tenant) is not None


def check_tenant(tenant: str, *, ours: bool = False) -> str:
    """Return the tenant id. Raises InvalidEvent if it is invalid, with the rule that it violates. `ours` allows the
    reserved tenant.
    """
    if tenant == OURS and not ours:
        raise InvalidEvent(f"tenant_id {OURS!r} is reserved for auditlane's own events.", field="tenant_id")
    if not is_tenant(tenant):
        raise InvalidEvent(
            f"tenant_id {tenant[:120]!r} is not valid.",
            field="tenant_id",
            fix="Use 1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or digit.",
        )
    return tenant


def key_of(tenant: str, shard: int | None = None) -> bytes:
    """Return the message key: the tenant id in UTF-8, with `#shard` appended if a large tenant is spread over several
    partitions.
    """
    return (tenant if shard is None else f"{tenant}#{shard}").encode()


def tenant_of_key(key: bytes) -> str:
    """Return the tenant in a message key, without its shard. Raises UnicodeDecodeError if the key is not UTF-8."""
    return key.split(b"#", 1)[0].decode()


def dedicated_topic(topic: str, tenant: str) -> str:
    """Return the name of the tenant's dedicated topic."""
    return f"{topic}.{tenant}"


def base_subject(topic: str) -> str:
    """Return the subject of the base event. It follows Confluent's TopicNameStrategy for the shared topic."""
    return f"{topic}-value"


def tenant_subject(topic: str, tenant: str) -> str:
    """Return the subject of a tenant's own contract. It follows TopicNameStrategy for the tenant's dedicated topic."""
    return f"{topic}.{tenant}-value"


def tenant_of_subject(topic: str, subject: str) -> str | None:
    """Return the tenant whose contract is registered under this subject. Returns None for the base subject and any
    other subject.
    """
    prefix, suffix = f"{topic}.", "-value"
    if not (subject.startswith(prefix) and subject.endswith(suffix)):
        return None
    tenant = subject[len(prefix) : -len(suffix)]
    return tenant if is_tenant(tenant) else None
