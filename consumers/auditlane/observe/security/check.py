"""Defines a check: a stable name, a subject, requirements, and the rules whose findings it may report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditlane.observe.security.findings import Finding, Gap, Rule

if TYPE_CHECKING:
    from auditlane.observe.security.facts import Facts


@dataclass(frozen=True, slots=True)
class Check:
    """A check. `make` yields findings under its `rules`, and a Gap for each question that could not be answered.

    If `make` raises an AuditlaneError, for example because a component is unreachable, that also counts as a Gap.
    """

    name: str
    looks_at: str
    needs: str
    rules: tuple[Rule, ...]
    make: Callable[[Facts], Iterable[Finding | Gap]]
