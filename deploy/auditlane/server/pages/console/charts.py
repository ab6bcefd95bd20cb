"""Geometry of the console's charts. A period's lines and bars become SVG paths, with gaps where values are missing.

All functions are pure. Positions are in the units of a drawing of WIDTH by HEIGHT. The vertical axis begins at 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

Values = Sequence[float | None]
WIDTH: Final = 360
HEIGHT: Final = 140
LEFT, RIGHT, TOP, BOTTOM = 46, 6, 8, 20  # margins, for the axes' labels
_DAY: Final = timedelta(days=1)
_STEPS_OF_SCALE: Final = (1.0, 2.0, 5.0, 10.0)
# Maxima of a time scale in seconds, from a minute up, whose halves are also whole minutes, hours or days.
_SPANS_S: Final = (60, 120, 240, 600, 1_200, 3_600, 7_200, 14_400, 43_200, 86_400, 172_800, 345_600, 864_000)
_FROM_S: Final = 50.0


@dataclass(frozen=True, slots=True)
class Period:
    """A chart's period, and the times at which its steps begin. A step is `step_s` seconds long.

    Steps without a measurement are omitted.
    """

    since: datetime
    until: datetime
    step_s: int
    at: Sequence[datetime]

    def x(self, at: datetime) -> float:
        """Return a time's horizontal position within the drawing."""
        share = (at - self.since) / (self.until - self.since)
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)

    def middle(self, at: datetime) -> float:
        """Return the horizontal position of a step's middle."""
        return self.x(at + timedelta(seconds=self.step_s / 2))


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the vertical axis, with its value."""

    y: float
    value: float


@dataclass(frozen=True, slots=True)
class Gap:
    """A part of the period without a measurement."""

    x: float
    width: float
    seconds: float


def top_of(highest: float, *, seconds: bool = False) -> float:
    """Return the maximum of a scale with room for this value: 1, 2 or 5 times a power of ten, or a round time."""
    if highest <= 0:
        return 1.0
    if seconds and _FROM_S < highest <= _SPANS_S[-1]:
        return next(float(span) for span in _SPANS_S if span >= highest)
    power = 10.0 ** math.floor(math.log10(highest))
    return next(power * one for one in _STEPS_OF_SCALE if power * one >= highest * (1 - 1e-9))


def y_of(value: float, top: float) -> float:
    """Return a value's vertical position on a scale from 0 to `top`."""
    return round(HEIGHT - BOTTOM - min(1.0, max(0.0, value / top)) * (HEIGHT - BOTTOM - TOP), 1)


def ticks(top: float, *, whole: bool) -> list[Tick]:
    """Return a scale's marks at 0, in the middle and at the top.

    If values are `whole` numbers, a fractional middle is omitted.
    """
    values = [0.0, top / 2, top]
    return [Tick(y_of(value, top), value) for value in values if not whole or value == int(value)]


def line(period: Period, values: Values, top: float) -> str:
    """Return a line's path, interrupted where a value or a step is missing.

    A value without a neighbour is a dash as wide as its step.
    """
    half = max(0.5, (period.x(period.since + timedelta(seconds=period.step_s)) - LEFT) / 2)
    parts: list[str] = []
    for run in _runs(period, values):
        if len(run) == 1:
            [(at, value)] = run
            x, y = period.middle(at), y_of(value, top)
            parts.append(f"M{x - half:g} {y:g}H{x + half:g}")
            continue
        parts.append("M" + "L".join(f"{period.middle(at):g} {y_of(value, top):g}" for at, value in run))
    return "".join(parts)


def bars(period: Period, values: Values, top: float) -> str:
    """Return the bars' path: a bar for each value above 0, as wide as its step and at least one unit high."""
    ground = HEIGHT - BOTTOM
    parts = []
    for at, value in zip(period.at, values, strict=True):
        if value:
            left = period.x(at)
            right = max(period.x(at + timedelta(seconds=period.step_s)), left + 1)
            parts.append(f"M{left:g} {ground}V{min(y_of(value, top), ground - 1):g}H{right:g}V{ground}Z")
    return "".join(parts)


def gaps(period: Period, columns: Sequence[Values]) -> list[Gap]:
    """Return the parts of the period without a value in any column.

    The current step does not count as missing, since it is not over yet.
    """
    measured = [at for row, at in enumerate(period.at) if any(column[row] is not None for column in columns)]
    step = timedelta(seconds=period.step_s)
    found, begin = [], period.since
    for at in [*measured, period.until]:
        if at - begin >= step:
            x = period.x(begin)
            found.append(Gap(x, round(period.x(at) - x, 1), (at - begin).total_seconds()))
        begin = max(begin, at + step)
    return found


def marks(period: Period) -> list[datetime]:
    """Return the times to label: every midnight (UTC) in a period of several days, otherwise every six hours."""
    every = timedelta(hours=6) if period.until - period.since <= _DAY else _DAY
    at = period.since.replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    while at <= period.until:
        if at >= period.since:
            found.append(at)
        at += every
    return found


def combined(values: Iterable[float | None], how: str) -> float | None:
    """Combine values by `avg`, `sum` or `max`. Returns None if there are no values."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return max(known) if how == "max" else sum(known) if how == "sum" else sum(known) / len(known)


def latest(values: Values) -> float | None:
    """Return the last measured value, or None if nothing was measured."""
    return next((value for value in reversed(values) if value is not None), None)


def _runs(period: Period, values: Values) -> list[list[tuple[datetime, float]]]:
    runs: list[list[tuple[datetime, float]]] = []
    expected: datetime | None = None
    for at, value in zip(period.at, values, strict=True):
        if value is None:
            continue
        if at != expected:
            runs.append([])
        runs[-1].append((at, value))
        expected = at + timedelta(seconds=period.step_s)
    return runs
