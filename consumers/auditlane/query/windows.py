"""Divides a search into time windows, starting at a position and moving outwards, until a page is full. Pure.

Times are in microseconds. A window begins just beyond `near` and ends with `far`; None means unbounded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

PROBE_ROWS: Final = 10_000  # number of events in the first window
SEARCH_S: Final = 1.5  # seconds after which a search ends with its window, even if the page is not full
SECOND_US: Final = 1_000_000
_GROWTH: Final = 150.0  # maximum growth factor, also used while too few events were found for an estimate
_FEW: Final = 5
_MARGIN: Final = 1.5  # factor on the estimated length, so that a page rarely needs another window
_SHRINKAGE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Reach:
    """The times at which the nearest `PROBE_ROWS` events begin (`nearest`) and end (`edge`), and the time of the last
    event (`farthest`). `rows` is the number of nearest events.
    """

    rows: int
    nearest: int
    edge: int
    farthest: int


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the time range that a search covers. `length` is in microseconds."""

    near: int | None
    far: int | None
    length: int

    @property
    def is_last(self) -> bool:
        return self.far is None


def rounded(reach: Reach) -> Reach:
    """Return the reach with its edge at a whole second, so that it does not reveal when an event occurred."""
    down = reach.edge // SECOND_US * SECOND_US
    edge = max(down, reach.farthest) if reach.farthest <= reach.edge else min(down + SECOND_US, reach.farthest)
    return replace(reach, edge=edge)


def first_window(reach: Reach) -> Window:
    """Return the window with the nearest events. If there are no others, it covers all time."""
    if reach.rows < PROBE_ROWS or reach.edge == reach.farthest:
        return Window(None, None, 0)
    return Window(None, reach.edge, max(1, abs(reach.nearest - reach.edge)))


def next_window(reach: Reach, last: Window, *, found: int, wanted: int, took_s: float, left_s: float) -> Window:
    """Return the window after `last`, whose search took `took_s` and found `found` of the `wanted` events.

    Its length is an estimate of what the page needs, limited by an estimate of what can be searched in `left_s`.
    """
    assert last.far is not None
    needed = _MARGIN * wanted / found if found >= _FEW else _GROWTH
    length = int(last.length * max(_SHRINKAGE, min(needed, _GROWTH, left_s / max(took_s, 1e-3)))) + 1
    up = reach.farthest > reach.edge
    far = last.far + length if up else last.far - length
    if far >= reach.farthest if up else far <= reach.farthest:
        return Window(last.far, None, length)
    return Window(last.far, far, length)
