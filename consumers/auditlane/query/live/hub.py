"""Serves all live streams of a process with a single poll of the store.

Streams with the same tenant, base filter and filter share a channel. The poll reads narrow columns of the tenants that
have a channel. A channel reads its events only if the poll has found some for its tenant.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from auditlane.access.scope import TenantScope
from auditlane.query.base_filter import digest
from auditlane.query.clickhouse.cancellation import CancelScope
from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.filters import Filter
from auditlane.query.live.follow import EventSlice, Follower
from auditlane.query.live.poll import Poller, PollResult, States
from auditlane.query.live.resume_token import StreamPosition
from auditlane.query.live.seen_offsets import PartitionPeriod
from auditlane.query.live.subscription import Subscription
from auditlane.runtime.errors import AuditlaneError, RateLimited, StoreUnavailable, Unavailable
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings


class StreamHub:
    """Connects streams to one polling thread, which runs as long as there are streams. Thread-safe."""

    def __init__(
        self, executor: QueryExecutor, database: str, *, poll_s: float, per_tenant: int, per_user: int | None = None
    ) -> None:
        self._follower = Follower(executor, database)
        self._poll_s = poll_s
        self._per_tenant = per_tenant
        self._per_user = per_tenant if per_user is None else per_user
        self._held: Counter[tuple[str, str]] = Counter()  # number of streams, by tenant and user
        self._cancel_scope = CancelScope()  # cancels the polls
        self._changed = threading.Condition()
        self._channels: dict[tuple[str, bytes], Channel] = {}
        self._thread: threading.Thread | None = None
        self._closed = False
        self._poller = Poller(executor, database)
        self._failure: AuditlaneError | None = None  # the last poll's error, or None if it succeeded

    @classmethod
    def of(cls, settings: Settings, executor: QueryExecutor) -> StreamHub:
        """Make the hub of a process, with the limits from the settings."""
        return cls(
            executor,
            settings.clickhouse_database,
            poll_s=settings.stream_poll_s,
            per_tenant=settings.streams_per_tenant,
            per_user=settings.streams_per_user,
        )

    @property
    def streams(self) -> int:
        """The number of open streams."""
        with self._changed:
            return self._held.total()

    def join(self, scope: TenantScope, filter_: Filter) -> Channel:
        """Join the channel for this filter. The caller must call `leave` later. Raises RateLimited at the limit of the
        tenant or the user.
        """
        with self._changed:
            channels = [channel for channel in self._channels.values() if channel.scope.tenant == scope.tenant]
            held = sum(channel.followers for channel in channels)
            if held >= self._per_tenant or self._closed:
                raise RateLimited(
                    f"{held} streams of this tenant are already open.",
                    fix="Close one; AUDITLANE_STREAMS_PER_TENANT is the limit.",
                    retry_after_s=5.0,
                )
            if self._held[scope.tenant, scope.actor] >= self._per_user:
                raise RateLimited(
                    f"{self._per_user} streams of this user are already open.",
                    fix="Close one; AUDITLANE_STREAMS_PER_USER is the limit.",
                    retry_after_s=5.0,
                )
            key = scope.tenant, filter_.digest() + digest(scope)
            channel = self._channels.setdefault(key, Channel(scope, filter_))
            channel.followers += 1
            self._held[scope.tenant, scope.actor] += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live-tail", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return channel

    def leave(self, channel: Channel, subscription: Subscription, scope: TenantScope | None = None) -> None:
        """Leave the channel when the stream ends. `scope` is the scope that joined, and defaults to the scope of the
        channel.
        """
        user = (scope or channel.scope).tenant, (scope or channel.scope).actor
        with self._changed:
            self._held[user] -= 1
            if self._held[user] <= 0:
                del self._held[user]
            channel.followers -= 1
            if subscription in channel.subscriptions:
                channel.subscriptions.remove(subscription)
            if not channel.followers:
                self._channels = {key: other for key, other in self._channels.items() if other is not channel}
            self._changed.notify_all()

    def begin(self, channel: Channel, subscription: Subscription, timeout_s: float) -> StreamPosition:
        """Follow the channel from now on, and return the current position.

        If polls fail, their error is raised: immediately if it is permanent, and after `timeout_s` otherwise.
        """
        with self._changed:
            position = self._begun(channel, timeout_s)
            if position is None:
                raise self._failure or StoreUnavailable(
                    "ClickHouse did not respond in time.", fix="Try again in a moment."
                )
            self._attach(channel, subscription)
            return position

    def catch_up(
        self, channel: Channel, subscription: Subscription, start: StreamPosition, timeout_s: float
    ) -> tuple[EventSlice, bool]:
        """Return the next events after `start`, and whether the subscription has caught up. New events are pushed to it
        once it has.
        """
        goal = subscription.goal
        if goal is None:
            with self._changed:
                goal = self._begun(channel, timeout_s)
        if goal is None:
            return EventSlice([], start, ended=False), False
        event_slice = self._follower.next_slice(channel.scope, channel.filter, start, goal, everywhere=True)
        if not event_slice.ended:
            return event_slice, False
        with self._changed:
            caught_up = subscription.goal is not None or channel.position is goal
            if subscription.goal is None:
                # The channel has advanced in the meantime. New events are queued from here, so only a short gap is left
                # to read.
                subscription.goal = channel.position
                self._attach(channel, subscription)
        if caught_up:
            subscription.has(event_slice.position)
        return event_slice, caught_up

    def stop(self) -> None:
        """End every stream and reject new ones."""
        with self._changed:
            self._closed = True
            ending = [subscription for channel in self._channels.values() for subscription in channel.subscriptions]
            self._changed.notify_all()
        for subscription in ending:
            subscription.end("stopping")

    def close(self) -> None:
        """Stop, and cancel a running poll."""
        self.stop()
        self._cancel_scope.cancel()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _begun(self, channel: Channel, timeout_s: float) -> StreamPosition | None:
        """Wait for the first position of the channel. Returns None after the timeout.

        Raises the error of a poll that failed permanently.
        """

        def permanent() -> AuditlaneError | None:
            return None if isinstance(self._failure, Unavailable) else self._failure

        self._changed.wait_for(lambda: channel.position or permanent() or self._closed, timeout_s)
        if channel.position is None and (failure := permanent()):
            raise failure
        return channel.position

    def _attach(self, channel: Channel, subscription: Subscription) -> None:
        assert channel.position is not None
        subscription.follow(channel.position)
        channel.subscriptions.append(subscription)
        if self._closed:
            subscription.end("stopping")

    def _run(self) -> None:
        with self._cancel_scope.active():
            self._follow()

    def _follow(self) -> None:
        failing = False
        while True:
            with self._changed:
                channels = list(self._channels.values())
                if not channels or self._closed:
                    self._thread = None
                    self._poller.forget()
                    self._failure = None
                    return
            more, failing = self._try_poll(channels, quiet=failing)
            if not more:
                with self._changed:
                    self._changed.wait_for(partial(self._is_due, channels), self._poll_s)

    def _is_due(self, polled: list[Channel]) -> bool:
        """Return whether to poll before the interval is over, because of a new channel or a stop."""
        known = set(map(id, polled))
        return (
            self._closed or not self._channels or any(id(channel) not in known for channel in self._channels.values())
        )

    def _try_poll(self, channels: list[Channel], *, quiet: bool) -> tuple[bool, bool]:
        """Poll once. Returns whether more rows are available, and whether the poll failed."""
        failure: AuditlaneError | None = None
        try:
            return self._poll(channels), False
        except AuditlaneError as error:
            failure = error
            if not quiet:
                get("query").error("stream.poll_failed", code=error.code, problem=str(error))
        except Exception:
            get("query").exception("stream.poll_broken")
            failure = Unavailable("New events cannot be read at present.", fix="Try again in a moment.")
        finally:
            with self._changed:
                self._failure = failure
                self._changed.notify_all()
        return False, True

    def _poll(self, channels: list[Channel]) -> bool:
        """Poll once, and advance every channel. Returns whether more rows are available."""
        result = self._poller.poll(sorted({channel.scope.tenant for channel in channels}))
        for channel in channels:
            channel.note(result)
        more = result.more
        failure: Unavailable | None = None
        for channel in channels:
            try:
                more |= self._try_advance(channel, result.at_ms, result.states[channel.scope.tenant])
            except Unavailable as error:  # this channel's query failed; others may succeed
                failure = error
        if failure:
            raise failure
        return more

    def _try_advance(self, channel: Channel, at_ms: int, states: States) -> bool:
        """Advance a channel. Returns whether more rows are available.

        A permanent error in the query of a channel ends only the streams of that channel. Raises Unavailable.
        """
        try:
            return self._advance(channel, at_ms, states)
        except Unavailable:
            raise
        except AuditlaneError as error:
            tenant = channel.scope.tenant
            get("query").error("stream.failed", code=error.code, problem=str(error), tenant=tenant)
            with self._changed:
                subscriptions = list(channel.subscriptions)
            for subscription in subscriptions:
                subscription.end("failed", error)
            return False

    def _advance(self, channel: Channel, at_ms: int, states: States) -> bool:
        """Push new events to the streams of the channel. Returns whether there are more. After a failure, the next poll
        retries.

        The events are pushed in limited portions, so that other channels get their turn.
        """
        if channel.position is None:
            channel.pending, channel.occurred = set(), None
            self._reach(channel, EventSlice([], StreamPosition(at_ms, states), ended=True))
            return False
        goal = StreamPosition(at_ms, states)
        if channel.pending:
            event_slice = self._follower.next_slice(
                channel.scope, channel.filter, channel.position, goal, occurred=channel.occurred
            )
            if event_slice.ended:
                channel.pending, channel.occurred = set(), None
            self._reach(channel, event_slice)
            if not event_slice.ended:
                return True
        self._reach(channel, EventSlice([], goal, ended=True))
        return False

    def _reach(self, channel: Channel, event_slice: EventSlice) -> None:
        with self._changed:
            channel.position = event_slice.position
            subscriptions = list(channel.subscriptions)
            self._changed.notify_all()
        for subscription in subscriptions:
            subscription.push(event_slice)


@dataclass(slots=True, eq=False)
class Channel:
    """The streams for one tenant, base filter and filter, and the position of these streams."""

    scope: TenantScope
    filter: Filter
    position: StreamPosition | None = None  # None before the channel's first poll
    subscriptions: list[Subscription] = field(default_factory=list)
    followers: int = 0  # number of subscriptions, including those that are catching up
    pending: set[PartitionPeriod] = field(default_factory=set)  # where the tenant has unread events
    occurred: tuple[int, int] | None = None

    def note(self, result: PollResult) -> None:
        """Record where the tenant's new events are, and when they occurred."""
        if news := result.news.get(self.scope.tenant):
            first, last = news.occurred
            earlier = self.occurred or (first, last)
            self.pending |= news.places
            self.occurred = (min(earlier[0], first), max(earlier[1], last))
