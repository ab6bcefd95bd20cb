"""Produces valid and invalid messages at a steady rate from a seed, and records which of them Kafka has
acknowledged.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import Producer
from fixtures.workers import World

TURN_S = 0.05
TENANTS = 20


class Load(threading.Thread):
    """Produces `rate` messages a second until `close` is called. `hold` pauses it, and waits for the
    acknowledgements.
    """

    def __init__(self, world: World, seed: int, *, rate: int, refused: float) -> None:
        super().__init__(daemon=True)
        self._world, self._random, self._rate, self._refused = world, random.Random(seed), rate, refused
        self._producer = Producer(
            world.kafka | {"acks": "all", "enable.idempotence": True, "linger.ms": 5, "delivery.timeout.ms": 240_000}
        )
        self._going, self._idle, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._idle.set()
        self.good: set[tuple[int, int]] = set()  # (partition, offset), as in `bad`
        self.bad: set[tuple[int, int]] = set()
        self.gone: list[tuple[int, int, int]] = []  # (partition, first, end): deleted before a worker read them
        self.failed: list[str] = []
        self._number = 0

    def go(self) -> None:
        self._going.set()

    def hold(self) -> None:
        """Pause, and wait until Kafka has acknowledged everything. Raises RuntimeError if Kafka does not."""
        self._going.clear()
        self._idle.wait()
        if left := self._producer.flush(120):
            raise RuntimeError(f"{left} messages were not acknowledged")
        if self.failed:
            raise RuntimeError(f"Kafka rejected messages: {self.failed[:3]}")

    def rest(self, seconds: float) -> None:
        """Pause for `seconds`, so that a range completes before the next one is sealed."""
        self._going.clear()
        time.sleep(seconds)
        self._going.set()

    def burst(self) -> None:
        """Send blocks of messages with an invalid one at the start, in the middle and at the end, and one block of
        invalid messages only.
        """
        for partition in range(self._world.settings.topic_partitions):
            for block in ("x....", "..x..", "....x", "xxx"):
                for mark in block:
                    (self._bad if mark == "x" else self._good)(partition)

    def lose(self, partition: int, first: int, end: int) -> None:
        """Stop expecting rows for these offsets. Some of the rows may be stored nevertheless."""
        self.gone.append((partition, first, end))
        self.bad = {(at, offset) for at, offset in self.bad if not (at == partition and first <= offset < end)}

    def expected(self) -> int:
        """Return the number of rows that must exist, not counting the offsets in `gone`."""
        lost = sum(
            any(partition == at and first <= offset < end for at, first, end in self.gone)
            for partition, offset in self.good
        )
        return len(self.good) - lost

    def close(self) -> None:
        self._ended.set()
        self._going.set()
        self.join()

    def run(self) -> None:
        while not self._ended.is_set():
            if not self._going.is_set():
                self._idle.set()
                self._going.wait()
                continue
            self._idle.clear()
            for _ in range(max(1, int(self._rate * TURN_S))):
                if self._random.random() < self._refused:
                    self._bad(None)
                else:
                    self._good(None)
            self._producer.poll(0)
            time.sleep(TURN_S)
        self._idle.set()

    def _good(self, partition: int | None) -> None:
        self._number += 1
        tenant = f"tenant{self._random.randrange(TENANTS)}"
        at = datetime.now(UTC) - timedelta(days=40 * (self._random.random() < 0.1))
        self._send(tenant, self._world.value(tenant, self._number % 50, occurred_at=at), partition, self._stored)

    def _bad(self, partition: int | None) -> None:
        value = self._random.choice([b"", b"bad", b"\x00\x7f\xff\xff\xffunknown schema", self._truncated()])
        self._send(f"tenant{self._random.randrange(TENANTS)}", value, partition, self._dead_lettered)

    def _truncated(self) -> bytes:
        return self._world.value("tenant0", 0)[:-7]

    def _send(self, key: str, value: bytes, partition: int | None, then: Callable[[Any], None]) -> None:
        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                self.failed.append(str(error))
            else:
                then(message)

        where = {} if partition is None else {"partition": partition}
        while True:
            try:
                self._producer.produce(self._world.settings.topic, key=key, value=value, on_delivery=delivered, **where)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _stored(self, message: Any) -> None:
        self.good.add((message.partition(), message.offset()))

    def _dead_lettered(self, message: Any) -> None:
        self.bad.add((message.partition(), message.offset()))
