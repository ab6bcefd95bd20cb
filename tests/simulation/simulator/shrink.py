"""Shrinks a failing schedule by removing steps as long as the promise is still broken."""

from __future__ import annotations

from dataclasses import replace

from simulator.schedule import Broken, Plan, Schedule


def broken(plan: Plan) -> Broken | None:
    """Run the schedule. If it breaks the promise, return the exception that describes how, otherwise None."""
    try:
        Schedule(plan).run()
    except Broken as failure:
        return failure
    return None


def shrink(plan: Plan) -> tuple[Plan, Broken]:
    """Return a minimal failing plan and its failure. If any single step were removed from the plan, the promise would
    hold.
    """
    failure = broken(plan)
    assert failure is not None, f"seed {plan.seed} breaks nothing"
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
                steps, failure, shorter = fewer, again, True
        if size == 1 and not shorter:
            return replace(plan, only=steps), failure
        size = max(1, size // 2)
