"""Makes a failing schedule as short as it can: leaves steps out as long as the promise is still broken."""

from __future__ import annotations

from dataclasses import replace

from simulator.schedule import Broken, Plan, Schedule


def broken(plan: Plan) -> Broken | None:
    """How the schedule breaks the promise, if it does."""
    try:
        Schedule(plan).run()
    except Broken as found:
        return found
    return None


def shrink(plan: Plan) -> tuple[Plan, Broken]:
    """The plan with as few steps as still break the promise: dropping any one more of them keeps it."""
    found = broken(plan)
    assert found is not None, f"seed {plan.seed} breaks nothing"
    steps = tuple(range(plan.steps)) if plan.only is None else plan.only
    size = max(1, len(steps) // 2)
    while True:
        shorter, at = False, 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size :]
            again = broken(replace(plan, only=fewer))
            if again is None:
                at += size
            else:
                steps, found, shorter = fewer, again, True
        if size == 1 and not shorter:
            return replace(plan, only=steps), found
        size = max(1, size // 2)
