"""A stream's text comes in pieces, and none is given to a credential that has ended meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

from auditlane.query.live.follow import EventSlice, StreamedEvent
from auditlane.query.live.resume_token import StreamPosition
from auditlane.query.live.router import PIECE, _Stream
from auditlane.query.live.subscription import Subscription
from auditlane.runtime.errors import WrongTenant

HERE = StreamPosition(0, {})


def followed(count: int, checks: int) -> tuple[list[str], int]:
    """What a stream gives of so many events whose credential ends after so many checks; and how often it was asked."""
    subscription = Subscription(lambda: None)
    subscription.follow(HERE)
    events = [StreamedEvent("", False, ("t", 0), at, HERE, text=f"{at};") for at in range(count)]
    subscription.push(EventSlice(events, HERE, ended=True))
    asked = 0

    async def check() -> None:
        nonlocal asked
        asked += 1
        if asked > checks:
            raise WrongTenant("The key has ended.")

    async def gone() -> bool:
        return False

    async def run() -> list[str]:
        nothing: Any = None
        stream = _Stream(nothing, nothing, subscription, asyncio.Event(), lambda position: "id")
        return [text async for text in stream.body(None, 1.0, nothing, check, gone)]

    return asyncio.run(run()), asked


def test_the_credential_is_looked_at_before_each_piece() -> None:
    texts, asked = followed(4 * PIECE, checks=2)
    given = "".join(texts[1:-1])
    assert given == "".join(f"{at};" for at in range(2 * PIECE))
    assert asked == 3
    assert texts[-1].startswith("event: end\n")


def test_without_events_it_is_looked_at_too() -> None:
    texts, asked = followed(0, checks=0)
    assert asked == 1
    assert texts[-1].startswith("event: end\n")
