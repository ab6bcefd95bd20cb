"""The problems of an installation, for the top of the console. Each names a command or a page that helps.

All functions are pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from auditlane.server.admin.localized import LocalizedText, counted, localized
from auditlane.server.admin.models import Health, Lag, PartHealth, PartitionLag
from auditlane.server.pages.console import charts
from auditlane.server.pages.i18n import N_

if TYPE_CHECKING:
    from auditlane.server.pages.console.page_model import Board

LETTERS: Final = "/console/dead-letters"
KEYS: Final = "/console/keys"
_DOCTOR: Final = "auditlane doctor"
_MOST_REFUSALS: Final = 5
# Part: command, and the page that shows more, with its name.
_HELP: Final = {
    "workers": ("auditlane worker", "#lag", N_("Lag")),
    "keys": ("auditlane keys list", KEYS, N_("Keys and sources")),
    "canary": ("auditlane canary --once", "", ""),
}
# Sections that cannot be read while a part is down, which is itself a problem.
_DEPENDS: Final = {
    "rate": "kafka",
    "lag": "kafka",
    "dead_letters": "kafka",
    "history": "clickhouse",
    "timeline": "clickhouse",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem. `part` is the component, or empty. `command` and `path` (a page, named by `label`) help to solve it,
    and at least one of them is set.

    `serious` problems delay or lose events. `path` may have a tenant in `tenant`.
    """

    text: str
    serious: bool
    part: str = ""
    command: str = ""
    path: str = ""
    label: str = ""
    tenant: str = ""


def problems(board: Board, *, late_s: float, disk_free_ratio: float) -> list[Problem]:
    """Return the problems of a dashboard, the serious ones first.

    Messages are late from an age of `late_s`. A disk is nearly full if less than `disk_free_ratio` of it is free.
    """
    found = [
        *_of_health(board.health.value),
        *_unknown(board),
        *_of_lag(board.lag.value, late_s),
        *_of_letters(board),
        *_of_disk(board, disk_free_ratio),
    ]
    return sorted(found, key=lambda problem: not problem.serious)


def partition_problem(partition: PartitionLag, late_s: float) -> Problem | None:
    """Return a partition's problem with the command that helps, or None if it has no problem."""
    at = f"{partition.topic}[{partition.partition}]"
    if partition.lost:
        resume = (partition.committed or 0) + partition.lost
        lost = counted(
            "%(count)s message was deleted before it was read.",
            "%(count)s messages were deleted before they were read.",
            partition.lost,
        )
        command = f"auditlane accept-loss {partition.topic} {partition.partition} --to {resume} --dry-run"
        return Problem(LocalizedText(lost), True, at, command)
    if partition.circuit:
        text = localized(
            "The circuit breaker halted the partition, because messages are rejected: %(code)s. Correct the contract "
            "or the producer, and restart the workers.",
            code=partition.circuit.code,
        )
        return Problem(text, True, at, "auditlane lag")
    if partition.failing_s is not None:
        text = localized(
            "No progress for %(seconds)s s: %(reason)s", seconds=partition.failing_s, reason=partition.error
        )
        return Problem(text, True, at, _DOCTOR)
    if partition.abandoned:
        return Problem(localized("No worker is assigned. Start one."), True, at, "auditlane worker")
    if (partition.age_s or 0) > late_s:
        text = localized(
            "The oldest message has waited for %(seconds)s s. If the lag does not decrease, start more workers, up to "
            "one per partition.",
            seconds=partition.age_s or 0.0,
        )
        return Problem(text, False, at, "auditlane lag --watch")
    return None


def _of_health(health: Health | None) -> Iterator[Problem]:
    if health is None:
        return
    for part in health.parts:
        if part.state in ("away", "stale"):
            yield _of_part(part)
    if health.conflicts and health.conflicts.ids:
        text = LocalizedText(
            counted(
                "%(count)s event ID was reused with different content in the last %(hours)s hours. "
                "All events are kept.",
                "%(count)s event IDs were reused with different content in the last %(hours)s hours. "
                "All events are kept.",
                health.conflicts.ids,
                hours=health.conflicts.hours,
            )
        )
        yield Problem(text, False, command="auditlane verify")
    for refusal in [one for one in health.refusals if one.after_change][:_MOST_REFUSALS]:
        text = LocalizedText(
            counted(
                "The tenant’s contract has rejected %(count)s event since it was changed.",
                "The tenant’s contract has rejected %(count)s events since it was changed.",
                refusal.after_change,
            )
        )
        yield Problem(text, True, refusal.tenant, "", "/console/settings", N_("Settings"), refusal.tenant)


def _of_part(part: PartHealth) -> Problem:
    command, path, label = _HELP.get(part.name, (_DOCTOR, "", ""))
    if part.name == "workers" and part.state == "stale":
        command = _DOCTOR
    return Problem(part.problem or part.detail, part.state == "away", part.name, command, path, label)


def _unknown(board: Board) -> Iterator[Problem]:
    """Yield the reasons why sections are unavailable, unless a part that is down explains them. Each reason is given
    once."""
    down = {part.name for part in board.health.value.parts if part.state == "away"} if board.health.value else set()
    reasons = {"health": board.health.problem}
    reasons |= {name: getattr(board, name).problem for name, part in _DEPENDS.items() if part not in down}
    for reason in dict.fromkeys(filter(None, reasons.values())):
        yield Problem(reason, False, command=_DOCTOR)


def _of_lag(lag: Lag | None, late_s: float) -> Iterator[Problem]:
    """Yield the problems of partitions. Partitions without a worker are a problem of the part `workers`."""
    for partition in lag.partitions if lag else ():
        problem = partition_problem(partition, late_s)
        if problem and problem.command != "auditlane worker":
            yield replace(problem, path="#lag", label=N_("Lag"))


def _of_letters(board: Board) -> Iterator[Problem]:
    letters = board.dead_letters.value
    if letters and letters.count:
        text = LocalizedText(
            counted("%(count)s dead letter is open.", "%(count)s dead letters are open.", letters.count)
        )
        yield Problem(text, False, "", "auditlane dlq stats", LETTERS, N_("Dead letters"))


def _of_disk(board: Board, free_ratio: float) -> Iterator[Problem]:
    columns = board.history.value
    used = charts.latest(columns.values.get("disk_used_ratio", [])) if columns else None
    if used is not None and used > 1 - free_ratio:
        text = localized("The fullest disk is %(share)s %% full.", share=round(used * 100))
        yield Problem(text, True, "", _DOCTOR, "#history", N_("Operation"))
