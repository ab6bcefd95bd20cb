"""One poll of the store serves all live streams of a process.

A channel is what streams of one tenant with one filter share. The poll reads narrow columns of all tenants; a channel
asks for its events only when something arrived for its tenant.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from auditlane.access.scope import TenantScope
from auditlane.query.filters import Filter
from auditlane.query.live import sql
from auditlane.query.live.follow import HOUR_MS, Follower, Stretch
from auditlane.query.live.places import Place, Seen, Watch
from auditlane.query.live.resume import Resume
from auditlane.query.live.subscription import Subscription
from auditlane.query.results import Results
from auditlane.runtime.errors import AuditlaneError, RateLimited
from auditlane.runtime.log import get

SKEW_MS: Final = 120_000  # by how much a worker's clock, or its insert, may be behind for a poll to see the event
SWEEP_S: Final = 30.0  # every so often a poll looks an hour back, for inserts that were held up
MARGIN_MS: Final = 300_000
POLL_ROWS: Final = 50_000


@dataclass(slots=True, eq=False)
class Channel:
    """Streams with the same tenant and filter, and how far they are."""

    scope: TenantScope
    filter: Filter
    position: Resume | None = None  # None until its first poll
    subscriptions: list[Subscription] = field(default_factory=list)
    followers: int = 0  # the subscriptions, and those that are still catching up
    news: set[Place] = field(default_factory=set)  # where events of the tenant are that were not asked for yet
    occurred: tuple[int, int] | None = None


class Tail:
    """Thread-safe; its thread lives while there are streams."""

    def __init__(self, results: Results, database: str, *, poll_s: float, per_tenant: int) -> None:
        self._results = results
        self._database = database
        self._follower = Follower(results, database)
        self._poll_s = poll_s
        self._per_tenant = per_tenant
        self._changed = threading.Condition()
        self._channels: dict[tuple[str, bytes], Channel] = {}
        self._thread: threading.Thread | None = None
        self._closed = False
        self._table = ""
        self._watches: dict[Place, Watch] = {}
        self._polled_ms = 0  # when the last poll that succeeded began
        self._swept = 0.0

    def join(self, scope: TenantScope, filter_: Filter) -> Channel:
        """The channel of this filter; `leave` must follow. Raises RateLimited when the tenant has streams enough."""
        with self._changed:
            held = sum(one.followers for one in self._channels.values() if one.scope.tenant == scope.tenant)
            if held >= self._per_tenant or self._closed:
                raise RateLimited(
                    f"{held} streams of this tenant are open already.",
                    fix="Close one; AUDITLANE_STREAMS_PER_TENANT is the bound.",
                    retry_after_s=5.0,
                )
            channel = self._channels.setdefault((scope.tenant, filter_.digest()), Channel(scope, filter_))
            channel.followers += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live-tail", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return channel

    def leave(self, channel: Channel, subscription: Subscription) -> None:
        """The stream is over, however it ended."""
        with self._changed:
            channel.followers -= 1
            if subscription in channel.subscriptions:
                channel.subscriptions.remove(subscription)
            if not channel.followers:
                self._channels = {key: one for key, one in self._channels.items() if one is not channel}
            self._changed.notify_all()

    def begin(self, channel: Channel, subscription: Subscription, timeout_s: float) -> Resume | None:
        """Follow from now on; where that is, or None when no poll succeeds within `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: channel.position is not None or self._closed, timeout_s)
            if channel.position is not None:
                self._attach(channel, subscription)
            return channel.position

    def catch_up(
        self, channel: Channel, subscription: Subscription, start: Resume, timeout_s: float
    ) -> tuple[Stretch, bool]:
        """What comes after `start`, and whether the subscription is up to date with it and follows from now on."""
        goal = subscription.goal
        if goal is None:
            with self._changed:
                self._changed.wait_for(lambda: channel.position is not None or self._closed, timeout_s)
                goal = channel.position
        if goal is None:
            return Stretch([], start, ended=False), False
        stretch = self._follower.on(channel.scope, channel.filter, start, goal, everywhere=True)
        if not stretch.ended:
            return stretch, False
        with self._changed:
            level = subscription.goal is not None or channel.position is goal
            if subscription.goal is None:
                # The others went on meanwhile: what arrives from here on waits, and one short way is left.
                subscription.goal = channel.position
                self._attach(channel, subscription)
        if level:
            subscription.has(stretch.resume)
        return stretch, level

    def stop(self) -> None:
        """End every stream; new ones are refused."""
        with self._changed:
            self._closed = True
            ending = [one for channel in self._channels.values() for one in channel.subscriptions]
            self._changed.notify_all()
        for one in ending:
            one.end("stopping")

    def close(self) -> None:
        """Stop, and wait for the poll that is under way."""
        self.stop()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _attach(self, channel: Channel, subscription: Subscription) -> None:
        assert channel.position is not None
        subscription.follow(channel.position)
        channel.subscriptions.append(subscription)
        if self._closed:
            subscription.end("stopping")

    def _run(self) -> None:
        failing = False
        while True:
            with self._changed:
                channels = list(self._channels.values())
                if not channels or self._closed:
                    self._thread = None
                    self._watches, self._polled_ms = {}, 0
                    return
            more, failed = self._tried(channels, quiet=failing)
            failing = failed
            if not more:
                with self._changed:
                    self._changed.wait_for(lambda begun=channels: self._is_due(begun), self._poll_s)  # type: ignore[misc]

    def _is_due(self, begun: list[Channel]) -> bool:
        """Whether to poll before it is time: for a new channel, or to end."""
        known = set(map(id, begun))
        return self._closed or not self._channels or any(id(one) not in known for one in self._channels.values())

    def _tried(self, channels: list[Channel], *, quiet: bool) -> tuple[bool, bool]:
        """(whether there is more already, whether it failed)."""
        try:
            return self._poll(channels), False
        except AuditlaneError as error:
            if not quiet:
                get("query").error("stream.poll_failed", code=error.code, problem=str(error))
        except Exception:
            get("query").exception("stream.poll_broken")
        return False, True

    def _poll(self, channels: list[Channel]) -> bool:
        now, now_ms = time.monotonic(), time.time_ns() // 1_000_000
        tenants = sorted({one.scope.tenant for one in channels})
        self._table = self._table or self._source()
        since_ms = self._since(now, now_ms)
        seen = {place: watch.seen for place, watch in self._watches.items()}
        rows = self._results.rows(
            sql.compile_news(self._database, self._table, tenants, seen, since_ms=since_ms, limit=POLL_ROWS)
        )
        self._take(rows, now)
        for channel in channels:
            self._note(channel, tenants.index(channel.scope.tenant) + 1, rows)
        if len(rows) < POLL_ROWS:  # else the rest of this window is still to be read
            self._polled_ms = now_ms
            self._swept = now if since_ms <= now_ms - HOUR_MS else self._swept
        states = {place: watch.seen for place, watch in self._watches.items()}
        for channel in channels:
            self._advance(channel, now_ms, states)
        return len(rows) == POLL_ROWS

    def _since(self, now: float, now_ms: int) -> int:
        if not self._polled_ms:
            return now_ms - HOUR_MS - MARGIN_MS
        return self._polled_ms - (HOUR_MS if now - self._swept >= SWEEP_S else SKEW_MS)

    def _take(self, rows: Sequence[dict[str, Any]], now: float) -> None:
        found: defaultdict[Place, list[int]] = defaultdict(list)
        for row in rows:
            found[_place(row)].append(int(row["place_offset"]))
        for place in self._watches.keys() | found.keys():
            self._watches.setdefault(place, Watch()).take(found.get(place, []), now)

    def _note(self, channel: Channel, number: int, rows: Sequence[dict[str, Any]]) -> None:
        """Remember where something of the tenant became visible, and when it had occurred."""
        for row in rows:
            place = _place(row)
            if row["tenant"] == number and self._watches[place].seen.holds(int(row["place_offset"])):
                at = int(row["occurred_us"])
                first, last = channel.occurred or (at, at)
                channel.occurred = (min(first, at), max(last, at))
                channel.news.add(place)

    def _advance(self, channel: Channel, at_ms: int, states: dict[Place, Seen]) -> None:
        """Give the channel's streams what arrived. What fails here is left for the next poll."""
        if channel.position is None:
            home = set(self._follower.home(channel.scope, at_ms=at_ms))
            channel.news, channel.occurred = set(), None
            self._reach(channel, Stretch([], _part(at_ms, states, home), ended=True))
            return
        goal = _part(at_ms, states, channel.position.seen.keys() | channel.news)
        while channel.news:
            stretch = self._follower.on(
                channel.scope, channel.filter, channel.position, goal, occurred=channel.occurred
            )
            if stretch.ended:
                channel.news, channel.occurred = set(), None
            self._reach(channel, stretch)
        self._reach(channel, Stretch([], goal, ended=True))

    def _reach(self, channel: Channel, stretch: Stretch) -> None:
        with self._changed:
            channel.position = stretch.resume
            subscriptions = list(channel.subscriptions)
            self._changed.notify_all()
        for one in subscriptions:
            one.push(stretch)

    def _source(self) -> str:
        """The table of all shards where there is one."""
        rows = self._results.rows(sql.compile_tables(self._database))
        return "events_all" if any(one["name"] in ("events_all", b"events_all") for one in rows) else "events"


def _part(at_ms: int, states: dict[Place, Seen], places: set[Place]) -> Resume:
    """The states of these partitions."""
    return Resume(at_ms, {place: states[place] for place in places if place in states})


def _place(row: dict[str, Any]) -> Place:
    topic = row["topic"]
    return topic.decode() if isinstance(topic, bytes) else str(topic), int(row["partition"])
