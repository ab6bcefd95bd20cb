"""What the registry said: whether a tenant has a contract of its own, each subject's newest version, and when."""

from __future__ import annotations

import math
from typing import Protocol

from auditlane.runtime.errors import SchemaNotFound
from auditlane.sdk.encoding import Encoder


class Registered(Protocol):
    @property
    def schema_id(self) -> int: ...
    @property
    def schema(self) -> str: ...


class Registry(Protocol):
    """The part of `contract.registry.RegistryClient` that is needed here."""

    def subjects(self) -> frozenset[str]: ...
    def latest(self, subject: str) -> Registered: ...
    def close(self) -> None: ...


class Known:
    """By tenants' subjects, `own`, whether or not they exist; times are the caller's clock's, of when it asked.

    One thread may `ask` while others read.
    """

    def __init__(self, registry: Registry, base: str) -> None:
        self.registry = registry
        self._base = base
        self._subjects: frozenset[str] = frozenset()
        self._listed_at: float | None = None
        self._looked: dict[str, float] = {}  # own -> when it was asked for by itself
        self._encoders: dict[str, tuple[float, Encoder]] = {}  # by subject
        self._uses: dict[str, str] = {}  # own -> the subject that its events are written with
        self._parsed: dict[tuple[str, int], Encoder] = {}

    def of(self, own: str) -> tuple[float, Encoder] | None:
        """(since when nothing was asked again, the encoder). A tenant keeps its contract until another one is known."""
        right = own if own in self._subjects else self._base
        used = self._uses.get(own)
        if self._listed_at is None or (used is None and right not in self._encoders):
            return None
        if used is None:
            used = self._uses[own] = right
        asked_at, encoder = self._encoders[used]
        looked_at = max(self._listed_at, self._looked.get(own, -math.inf))
        return min(asked_at, looked_at) if used == right else -math.inf, encoder

    def ask(self, own: str, since: float, now: float, *, alone: bool) -> None:
        """Learn what own's events are written with, as it was at `since` or later. Raises what the registry raises.

        `alone` asks for this subject, as the list of all may be long; a list serves all tenants.
        """
        if alone and self._listed_at is not None:
            self._look(own, now)
        elif self._listed_at is None or self._listed_at < since:
            self._subjects = self.registry.subjects()
            self._listed_at = now
        subject = own if own in self._subjects else self._base
        known = self._encoders.get(subject)
        if known is None or known[0] < since:
            self._read(subject, now)
        self._uses[own] = subject

    def forget(self, own: str | None) -> None:
        """What is known of this subject, for None of every one, is old from now on."""
        if self._listed_at is not None:
            self._listed_at = -math.inf
        for one in list(self._encoders) if own is None else [own]:
            self._looked.pop(one, None)
            if one in self._encoders:
                self._encoders[one] = -math.inf, self._encoders[one][1]

    def _look(self, own: str, now: float) -> None:
        try:
            self._read(own, now)
            self._subjects |= {own}
        except SchemaNotFound:
            self._subjects -= {own}
        self._looked[own] = now

    def _read(self, subject: str, now: float) -> None:
        latest = self.registry.latest(subject)
        key = subject, latest.schema_id
        if key not in self._parsed:
            self._parsed[key] = Encoder.parse(subject, latest.schema_id, latest.schema)
        self._encoders[subject] = now, self._parsed[key]
