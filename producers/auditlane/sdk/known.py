"""What the registry said: whether a tenant has a contract of its own, each subject's newest version, and when."""

from __future__ import annotations

import math
from typing import Final, Protocol

from auditlane.contract.incomplete_versions import Version, Versions, lacking, newest_whole
from auditlane.runtime.errors import SchemaNotFound
from auditlane.runtime.lru_cache import Kept
from auditlane.sdk.encoding import Encoder

KEPT_TENANTS: Final = 20_000
KEPT_CHARACTERS: Final = 16 << 20  # of the texts of schemas that are known; some 5,000 of the base event's size


class Registry(Versions[Version], Protocol):
    """The part of `contract.registry.RegistryClient` that is needed here."""

    def subjects(self) -> frozenset[str]: ...
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
        # What is not kept any more is asked for again, as if it had never been known.
        self._whole: tuple[int, Version] | None = None  # (the latest base event's id, what is written with)
        self._looked: Kept[str, float] = Kept(KEPT_TENANTS)  # own -> when it was asked for by itself
        self._encoders: Kept[str, tuple[float, Encoder]] = Kept(KEPT_CHARACTERS, weight=lambda known: known[1].size)
        self._uses: Kept[str, str] = Kept(KEPT_TENANTS)  # own -> the subject that its events are written with

    def of(self, own: str) -> tuple[float, Encoder] | None:
        """(since when nothing was asked again, the encoder). A tenant keeps its contract until another one is known."""
        right = own if own in self._subjects else self._base
        used = self._uses.get(own)
        known = self._encoders.get(used or right)
        if self._listed_at is None or known is None:
            return None
        if used is None:
            used = right
            self._uses.put(own, right)
        asked_at, encoder = known
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
        self._uses.put(own, subject)

    def forget(self, own: str | None) -> None:
        """What is known of this subject, for None of every one, is old from now on."""
        if self._listed_at is not None:
            self._listed_at = -math.inf
        for one in self._encoders.keys() if own is None else [own]:
            self._looked.pop(one)
            if known := self._encoders.get(one):
                self._encoders.put(one, (-math.inf, known[1]))

    def after_fork(self, registry: Registry) -> None:
        """In a forked child: keep what is known."""
        self.registry = registry
        for kept in (self._looked, self._encoders, self._uses):
            kept.after_fork()

    def _look(self, own: str, now: float) -> None:
        try:
            self._read(own, now)
            self._subjects |= {own}
        except SchemaNotFound:
            self._subjects -= {own}
        self._looked.put(own, now)

    def _read(self, subject: str, now: float) -> None:
        latest = self._newest_base() if subject == self._base else self.registry.latest(subject)
        known = self._encoders.get(subject)
        if known is not None and known[1].schema_id == latest.schema_id:
            encoder = known[1]
        else:
            encoder = Encoder.parse(subject, latest.schema_id, latest.schema)
        self._encoders.put(subject, (now, encoder))

    def _newest_base(self) -> Version:
        """The newest version of the base event that holds all of its fields; looked for once behind each latest one."""
        latest = self.registry.latest(self._base)
        if self._whole is None or self._whole[0] != latest.schema_id:
            whole = newest_whole(self.registry, self._base) if lacking(latest.schema) else latest
            self._whole = latest.schema_id, whole
        return self._whole[1]
