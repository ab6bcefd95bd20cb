"""Tests that the text of a stream is sent in chunks, and that nothing is sent once the credential has expired."""

from __future__ import annotations

import asyncio
from typing import Any

from auditlane.query.geoip import GeoIp
from auditlane.query.live.follow import EventSlice, StreamedEvent
from auditlane.query.live.resume_token import StreamPosition
from auditlane.query.live.router import PIECE, _Stream
from auditlane.query.live.subscription import Subscription
from auditlane.runtime.errors import WrongTenant

HERE = StreamPosition(0, {})


def stream_texts(count: int, checks: int) -> tuple[list[str], int]:
    """Stream `count` events with a credential that passes `checks` checks. Returns the chunks, and the number of checks
    made.
    """
    subscription = Subscription(lambda: None)
    subscription.follow(HERE)
    events = [StreamedEvent("", False, ("t", 0, 202611), at, HERE, text=f"{at};") for at in range(count)]
    subscription.push(EventSlice(events, HERE, ended=True))
    checked = 0

    async def check() -> None:
        nonlocal checked
        checked += 1
        if checked > checks:
            raise WrongTenant("The key has ended.")

    async def gone() -> bool:
        return False

    async def run() -> list[str]:
        nothing: Any = None
        stream = _Stream(nothing, nothing, subscription, asyncio.Event(), lambda position: "id", GeoIp(None))
        return [text async for text in stream.body(None, 1.0, nothing, check, gone)]

    return asyncio.run(run()), checked


def test_the_credential_is_checked_before_each_piece() -> None:
    texts, checked = stream_texts(4 * PIECE, checks=2)
    body = "".join(texts[1:-1])
    assert body == "".join(f"{at};" for at in range(2 * PIECE))
    assert checked == 3
    assert texts[-1].startswith("event: end\n")


def test_the_credential_is_also_checked_without_events() -> None:
    texts, checked = stream_texts(0, checks=0)
    assert checked == 1
    assert texts[-1].startswith("event: end\n")
