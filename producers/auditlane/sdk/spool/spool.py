"""A client's spool: a sender and a background thread. Handles forks and the end of the process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from auditlane.runtime.errors import AuditlaneError, SpoolFailed, SpoolFull
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery_tracker import DeliveryTracker
from auditlane.sdk.logs import log_later
from auditlane.sdk.results import SpoolStats
from auditlane.sdk.spool import folder
from auditlane.sdk.spool.event import Encode, Headers, Offer, Ready
from auditlane.sdk.spool.keeper import Emit, SpoolKeeper
from auditlane.sdk.spool.sender import SpoolSender
from auditlane.sdk.transport import Message, OnBatch, OnSettled, Receiver, Refused

_OTHER: Final = (
    "%d sets of spooled events in %s are for %s, and this client cannot send them. Start one that can, with the same "
    "folder."
)


class Spool:
    """A client's spool. Thread-safe. Signal handlers may send events too."""

    def __init__(
        self,
        config: ClientConfig,
        tracker: DeliveryTracker,
        *,
        offer: Offer,
        report: Callable[[AuditlaneError, str | None], None],
        may_wait: Callable[[], bool],
        emit: Emit,
        encode: Encode,
        ready: Ready,
        other_folder: str = "",
    ) -> None:
        """Open the spool. SpoolSender and SpoolKeeper describe the parameters. `other_folder` is the folder of the
        other transport, whose events this client cannot send. Raises ConfigError if the folder cannot be used.
        """
        folder.check(Path(config.spool_dir))
        if left := folder.sets(Path(other_folder)):
            kind = "Kafka" if config.url else "the gateway"
            log_later(logging.WARNING, _OTHER, len(left), other_folder, kind)
        self._config = config
        self._emit = emit
        self._sender = SpoolSender(config, tracker, offer, report, may_wait, encode, ready)
        self._keeper: SpoolKeeper | None = None
        self._starting = threading.RLock()

    def start(self) -> None:
        """Start the thread unless it is already running."""
        with self._starting:
            if self._keeper is None:
                config = self._config
                self._keeper = SpoolKeeper(
                    self._sender,
                    self._emit,
                    Path(config.spool_dir),
                    config.catch_all_tenant,
                    sync=config.spool_sync == "1s",
                )

    def send(
        self,
        topic: str,
        key: bytes,
        value: bytes,
        event_id: str,
        tenant: str,
        on_settled: OnSettled | None = None,
        headers: Headers | None = None,
        *,
        keep: bool = False,
        unencoded: bool = False,
        on_spooled: Callable[[], None] | None = None,
    ) -> None:
        """Accept an event, like `SpoolSender.send`."""
        if self._keeper is None:
            self.start()
        self._sender.send(
            topic,
            key,
            value,
            event_id,
            tenant,
            on_settled,
            headers,
            keep=keep,
            unencoded=unencoded,
            on_spooled=on_spooled,
        )

    def send_all(self, messages: Sequence[Message], on_batch: OnBatch) -> list[Refused]:
        """Accept events, like `SpoolSender.send_all`."""
        if self._keeper is None:
            self.start()
        return self._sender.send_all(messages, on_batch)

    def send_plain(self, topic: str, key: bytes, value: bytes, event_id: str, tenant: str) -> None:
        """Accept an event like `send`, whose other arguments take longer to pass."""
        if self._keeper is None:
            self.start()
        self._sender.send(topic, key, value, event_id, tenant)

    @property
    def receiver(self) -> Receiver:
        """What receives the outcomes of the events that are offered."""
        return self._sender

    @property
    def interrupted(self) -> bool:
        """Whether this is a signal handler that interrupted `send`."""
        return self._sender.interrupted

    @property
    def spooled(self) -> int:
        """The number of this process's events that are on disk and not acknowledged by Kafka."""
        return self._sender.spooled

    @property
    def stats(self) -> SpoolStats:
        """The state of the spool. Sizes and numbers of files are at most some seconds old."""
        return self._sender.stats(time.time_ns() // 1_000)

    def stop(self) -> None:
        """Stop the thread, and write the events that are only in memory to disk."""
        if self._keeper is not None:
            self._keeper.stop()
        try:
            self._sender.spill()
        except (SpoolFull, SpoolFailed) as error:
            log_later(logging.ERROR, "%s", error)

    def close(self) -> None:
        """Leave the events on disk to other processes. Call this once the client has reported on all events."""
        self._sender.close()

    def after_fork(self, tracker: DeliveryTracker) -> None:
        """Start over in a forked child. Its first event starts a new thread."""
        self._keeper = None
        self._starting = threading.RLock()
        self._sender.after_fork(tracker)
