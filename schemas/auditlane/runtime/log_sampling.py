"""Logs repeated failures as one line per minute, with the number of failures since the previous line."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

WINDOW_MS: Final = 60_000


class Line(NamedTuple):
    """A line to log. `times` is the number of occurrences since the previous line, including this one."""

    event: str
    fields: dict[str, Any]
    times: int = 1


@dataclass(slots=True)
class _Window:
    ends: int
    latest: Line | None = None  # not logged yet


class Sampler:
    """Decides which lines of each kind to log: the first one immediately, and then the latest one of each window. Pure.

    A kind is dropped when its window ends without a line, so memory use depends only on the kinds of the last minute.
    """

    def __init__(self, window_ms: int = WINDOW_MS) -> None:
        self._window_ms = window_ms
        self._windows: dict[Hashable, _Window] = {}

    def add(self, kind: Hashable, line: Line, now: int) -> list[Line]:
        """Record an occurrence at `now` (monotonic milliseconds). Returns the lines to log, which may be of any
        kind.
        """
        due = self.due(now)
        window = self._windows.get(kind)
        if window is None:
            self._windows[kind] = _Window(now + self._window_ms)
            return [*due, line]
        window.latest = line._replace(times=line.times + (window.latest.times if window.latest else 0))
        return due

    def due(self, now: int | None = None) -> list[Line]:
        """Return the latest line of each window that has ended. Returns those of all windows if `now` is omitted."""
        lines = []
        for kind, window in list(self._windows.items()):
            if now is not None and now < window.ends:
                continue
            if window.latest is None or now is None:
                del self._windows[kind]
            if window.latest is not None:
                lines.append(window.latest)
                if now is not None:
                    window.ends, window.latest = now + self._window_ms, None
        return lines


class SampledLog:
    """A logger that samples lines of one kind. Each line has the field `count`. Call `flush` regularly, and at the
    end.
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._sampler = Sampler()

    def warning(self, event: str, *, kind: Hashable, now: int, **fields: Any) -> None:
        """Log a warning unless this event and kind was logged within the last minute."""
        self._write(self._sampler.add((event, kind), Line(event, fields), now))

    def flush(self, now: int | None = None) -> None:
        """Log the lines whose minute has ended. If `now` is omitted, all lines held back are logged."""
        self._write(self._sampler.due(now))

    def _write(self, lines: list[Line]) -> None:
        for line in lines:
            self._log.warning(line.event, **line.fields, count=line.times)
