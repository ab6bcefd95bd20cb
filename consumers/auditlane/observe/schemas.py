"""Notices newly registered contract versions, and records those that the client that registered them has not recorded.
Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from auditlane.access.audit import AuditRecord
from auditlane.contract.tenants import base_subject, tenant_of_subject
from auditlane.observe.events import event
from auditlane.observe.state import UNKNOWN, Noticed

MOST_SUBJECTS: Final = 2_000
PER_CHECK: Final = 20
_NEW: Final = "none"
_SETTLES_MS: Final = 60_000  # time for the registering client's own event to be stored


def watched(topic: str, subjects: frozenset[str]) -> list[str]:
    """Return the subjects of contracts, sorted by name: the base subject, and those of at most MOST_SUBJECTS
    tenants.
    """
    base = base_subject(topic)
    tenants = sorted(one for one in subjects if tenant_of_subject(topic, one) is not None)
    return [*([base] if base in subjects else []), *tenants[: MOST_SUBJECTS - 1]]


def next_subjects(subjects: list[str], known: Mapping[str, int] | None, turn: int) -> list[str]:
    """Return at most PER_CHECK subjects to request in this check. New ones come first, and then the others in turn."""
    new = [one for one in subjects if one not in known] if known is not None else []
    first = turn * PER_CHECK % max(1, len(subjects))
    return list(dict.fromkeys([*new, *subjects[first:], *subjects[:first]]))[:PER_CHECK]


def compare(
    topic: str, known: Mapping[str, int] | None, subjects: frozenset[str], versions: Mapping[str, int], now_ms: int
) -> tuple[dict[str, int], list[Noticed]]:
    """Compare the versions found in a check with the known ones. Returns the versions known now, and the new ones.

    The first check only records which subjects exist. Any subject that appears later is new, regardless of its version.
    """
    after: dict[str, int] = {}
    noticed: list[Noticed] = []
    for subject in watched(topic, subjects):
        before = UNKNOWN if known is None else known.get(subject)
        version = versions.get(subject, before)
        if version is None:
            continue  # a new subject stays unknown until it is requested
        after[subject] = version
        if before is None or UNKNOWN != before < version:
            noticed.append(Noticed(subject=subject, previous=before, version=version, at_ms=now_ms))
    return after, noticed


def settle(
    topic: str,
    noticed: Iterable[Noticed],
    recorded: frozenset[tuple[str, int]] | None,
    *,
    behind_s: float | None,
    now_ms: int,
) -> tuple[tuple[Noticed, ...], list[AuditRecord]]:
    """Return the versions to check again later, and events for versions that the client that registered them did not
    record.

    auditlane's own API and commands record their registrations. `recorded` contains the (subject, version) pairs that
    are already in the log, or is None if the log could not be read. `behind_s` is the maximum delay before an event
    appears in the log.
    """
    waiting: list[Noticed] = []
    events: list[AuditRecord] = []
    for one in noticed:
        if recorded is not None and (one.subject, one.version) in recorded:
            continue
        if recorded is None or behind_s is None or now_ms - one.at_ms < _SETTLES_MS + behind_s * 1_000:
            waiting.append(one)
            continue
        metadata = {"previous": _NEW if one.previous is None else one.previous, "version": one.version}
        tenant = tenant_of_subject(topic, one.subject)
        events.append(event("schema.changed", one.subject, at_ms=one.at_ms, tenant=tenant, metadata=metadata))
    return tuple(waiting), events
