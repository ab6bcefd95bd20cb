"""Decides which conditions (lag, open circuits and full disks) a check enters or leaves. Performs no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from auditlane.access.audit import AuditRecord
from auditlane.contract.event import SeverityName
from auditlane.contract.intent import OpenCircuit
from auditlane.observe.events import event, rfc3339_ms, tenant_of_topic
from auditlane.observe.hysteresis import Condition, Thresholds, Transition, check
from auditlane.observe.measurements import Disk, TopicLag
from auditlane.runtime.settings import Settings

Conditions = Mapping[str, Condition]
_GRAVE_LAG: Final = 10  # multiple of the limit above which a lag has severity High
_GRAVE_DISK: Final = 4  # divisor of the limit below which free space has severity High
_LISTED: Final = 20  # maximum number of partitions named in an event
_NONE: Final = TopicLag(0.0, 0)


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits at which conditions are entered and left. `topic` is the shared topic."""

    topic: str
    lag_s: float = 60.0
    free_ratio: float = 0.1
    checks: int = 3
    gap_ms: int = 600_000

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """Read the policy from the settings."""
        return cls(
            settings.topic,
            settings.observe_lag_s,
            settings.observe_disk_free_ratio,
            settings.observe_checks,
            int(settings.observe_gap_s * 1_000),
        )

    @property
    def lag(self) -> Thresholds:
        return Thresholds.above(self.lag_s, checks=self.checks, gap_ms=self.gap_ms)

    @property
    def disk(self) -> Thresholds:
        """Return thresholds for the limit divided by the free space. A value above 1 means that the disk is filling up.
        Below 0.5, there is twice as much free space as required.
        """
        return Thresholds.above(1.0, checks=self.checks, gap_ms=self.gap_ms)

    @property
    def circuit(self) -> Thresholds:
        """Return thresholds for the number of halted partitions. A single check is enough, since this number does not
        fluctuate.
        """
        return Thresholds(0.0, 0.5, checks=1, gap_ms=self.gap_ms)


class Checks:
    """The conditions of one check, which are updated one after another. `events` contains the transitions in this
    check.
    """

    def __init__(self, before: Conditions, policy: Policy, now_ms: int) -> None:
        self._before = before
        self._policy = policy
        self._now_ms = now_ms
        self._after = dict(before)
        self.events: list[AuditRecord] = []

    @property
    def after(self) -> dict[str, Condition]:
        """The conditions after this check."""
        return self._after

    def lag(self, topics: Mapping[str, TopicLag]) -> None:
        """Check the lag of every topic. A topic that no longer exists has no lag."""
        thresholds = self._policy.lag
        for topic in self._names("lag", topics):
            found = topics.get(topic, _NONE)
            if not found.certain and found.seconds <= thresholds.enter:
                continue
            condition, transition = self._check("lag", topic, found.seconds, thresholds)
            if transition:
                self._lag_event(topic, found, condition, transition)

    def circuits(self, topics: Mapping[str, TopicLag], known: Mapping[str, OpenCircuit]) -> dict[str, OpenCircuit]:
        """Check the circuit breakers of every topic. Returns the open circuits, with the numbers for their events."""
        kept = dict(known)
        for topic in self._names("circuit", topics):
            found = topics.get(topic, _NONE).circuits
            condition, transition = self._check("circuit", topic, float(len(found)), self._policy.circuit)
            if transition == "entered":
                kept[topic] = _summed(found)
                self._circuit_event("circuit_breaker.opened", topic, kept[topic], condition, found)
            elif transition == "left":
                self._circuit_event("circuit_breaker.closed", topic, kept.pop(topic, OpenCircuit("", 0)), condition, {})
        return kept

    def disks(self, disks: Mapping[str, Disk], *, complete: bool) -> None:
        """Check the free space of every disk. The condition of a disk that no longer exists ends.

        Unless `complete`, disks that were not measured keep their condition.
        """
        limit = self._policy.free_ratio
        for name in self._names("disk", disks) if complete else sorted(disks):
            disk = disks.get(name)
            pressure = limit / max(disk.free_ratio, 1e-9) if disk else 0.0
            _, transition = self._check("disk", name, pressure, self._policy.disk)
            if transition and disk:
                severity: SeverityName | None = "High" if pressure > _GRAVE_DISK else None
                entered = transition == "entered"
                self._record(
                    "disk.filling" if entered else "disk.freed",
                    name,
                    severity=severity if entered else None,
                    metadata={"left": size(disk.free), "total": size(disk.total)},
                )

    def _names(self, kind: str, found: Mapping[str, object]) -> list[str]:
        known = {key.removeprefix(f"{kind}:") for key in self._before if key.startswith(f"{kind}:")}
        return sorted(known | found.keys())

    def _check(self, kind: str, name: str, value: float, thresholds: Thresholds) -> tuple[Condition, Transition | None]:
        """Check one condition and store its new state. Returns the condition to report, and the transition, if any.

        If the condition has ended, its state before this check is returned.
        """
        key = f"{kind}:{name}"
        before = self._before.get(key, Condition())
        after, transition = check(before, value, thresholds, self._now_ms)
        if after.may_be_forgotten(thresholds, self._now_ms):
            self._after.pop(key, None)
        else:
            self._after[key] = after
        return (before if transition == "left" else after), transition

    def _lag_event(self, topic: str, found: TopicLag, condition: Condition, transition: Transition) -> None:
        entered = transition == "entered"
        metadata = {
            "seconds": int(found.seconds),
            "events": found.events,
            "since": rfc3339_ms(condition.since_ms),
            **_listed(found.behind),
        }
        self._record(
            "lag.detected" if entered else "lag.cleared",
            topic,
            severity="High" if entered and found.seconds > _GRAVE_LAG * self._policy.lag_s else None,
            tenant=tenant_of_topic(self._policy.topic, topic),
            metadata=metadata,
        )

    def _circuit_event(
        self, action: str, topic: str, circuit: OpenCircuit, condition: Condition, found: Mapping[int, OpenCircuit]
    ) -> None:
        self._record(
            action,
            topic,
            tenant=tenant_of_topic(self._policy.topic, topic),
            metadata={
                "code": circuit.code,
                "count": circuit.rejected,
                "since": rfc3339_ms(condition.since_ms),
                **_listed(tuple(sorted(found))),
            },
        )

    def _record(
        self,
        action: str,
        name: str,
        *,
        severity: SeverityName | None = None,
        tenant: str | None = None,
        metadata: Mapping[str, object],
    ) -> None:
        self.events.append(event(action, name, at_ms=self._now_ms, severity=severity, tenant=tenant, metadata=metadata))


def size(count: float) -> str:
    """Format a number of bytes, as in `512 B` or `4.2 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1_024 or unit == "TiB":
            break
        count /= 1_024
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def _listed(partitions: tuple[int, ...]) -> dict[str, str]:
    more = ["…"] if len(partitions) > _LISTED else []
    return {"partitions": ", ".join([*map(str, partitions[:_LISTED]), *more])} if partitions else {}


def _summed(circuits: Mapping[int, OpenCircuit]) -> OpenCircuit:
    """Return the most frequent reject code of several partitions, and the total number of rejected messages."""
    counts: Counter[str] = Counter()
    for one in circuits.values():
        counts[one.code] += one.rejected
    [(code, _)] = counts.most_common(1)
    return OpenCircuit(code, counts.total())
