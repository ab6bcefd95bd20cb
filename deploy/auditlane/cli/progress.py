"""Shows a long command's progress: on a terminal, as a bar with the rate and the time left, elsewhere as a line every
five seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

INTERVAL_S = 5.0
OnOffsets = Callable[[int], None]


@contextmanager
def progress_on_stderr(title: str, total: int) -> Iterator[OnOffsets]:
    """Show on stderr how many of `total` offsets are done. Call the yielded function with that number."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(title, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total, rate="")
        started = time.monotonic()

        def on_offsets(done: int) -> None:
            bar.update(task, completed=done, rate=f"{done / max(0.001, time.monotonic() - started):,.0f}/s")

        yield on_offsets


def _lines(title: str, total: int) -> OnOffsets:
    started = printed_at = time.monotonic()

    def on_offsets(done: int) -> None:
        nonlocal printed_at
        now = time.monotonic()
        if now - printed_at >= INTERVAL_S:
            printed_at = now
            print(line(title, done, total, now - started), file=sys.stderr, flush=True)

    return on_offsets


def line(title: str, done: int, total: int, seconds: float) -> str:
    """Format one line of progress, such as `title: 5,000 of 20,000 offsets, 1,000/s, 15 s left`."""
    rate = done / max(0.001, seconds)
    left = f"{(total - done) / rate:,.0f} s left" if rate else "no offset yet"
    return f"{title}: {done:,} of {total:,} offsets, {rate:,.0f}/s, {left}"
