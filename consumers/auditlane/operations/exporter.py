"""Serves the metrics of the consumer group over HTTP, for `auditlane lag --serve`.

Threads read Kafka every FRESH_S seconds, so that a scrape never waits for Kafka.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing

from prometheus_client import generate_latest

from auditlane.operations.dlq.followed import FollowedLetters
from auditlane.operations.group_metrics import FRESH_S, LETTERS_S, GroupMetrics, Reading
from auditlane.operations.lag import GroupLag
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.instruments import Instruments, build_info, process_metrics
from auditlane.runtime.log import get
from auditlane.runtime.monitoring import Answer, MonitoringServer
from auditlane.runtime.settings import Settings

STALL_S = 120.0  # duration after which a reading counts as stalled
CLOSE_S = 2.0  # how long `close` waits for a reading in progress


def run(settings: Settings, host: str, port: int, *, stop: threading.Event, on_ready: Callable[[str], None]) -> None:
    """Serve until `stop` is set. `on_ready` is called with the URL. Kafka may be unavailable at any time.

    Raises PortInUse, and ConfigError for invalid Kafka settings.
    """
    metrics, made = GroupMetrics(settings.topic), Instruments()
    build_info(made)
    measure_process = process_metrics(made)
    made.registry.register(metrics)
    with ExitStack() as stack:
        lag = GroupLag(settings)
        letters = FollowedLetters(settings)
        readers = (
            Reader("lag", lambda: metrics.read_lag(lag.rows()), metrics, stop),
            Reader("dead_letters", lambda: metrics.read_letters(letters.open(LETTERS_S)), metrics, stop),
        )

        def scrape() -> Answer:
            measure_process()
            return Answer.metrics(generate_latest(made.registry))

        def ready() -> Answer:
            up = metrics.is_up("lag")
            return Answer.json(200 if up else 503, {"status": "ready" if up else "waiting"})

        def live() -> Answer:
            stalled = any(reader.age_s() > STALL_S for reader in readers)
            return Answer.json(503 if stalled else 200, {"status": "stalled" if stalled else "live"})

        routes = {"/metrics": scrape, "/health/live": live, "/health/ready": ready}
        server = MonitoringServer(host, port, routes, fix="Choose another port, or 0 for a free one.")
        server.start()
        stack.enter_context(closing(server))
        for reader in readers:
            reader.start()
        on_ready(server.url)
        stop.wait()
        for reader in readers:
            reader.join(CLOSE_S)
    if not any(reader.is_alive() for reader in readers):  # a reading in progress still uses its connections
        lag.close()
        letters.close()


class Reader(threading.Thread):
    """Repeats one reading every FRESH_S seconds until `stop` is set.

    A failure is logged once, and not again until a reading has succeeded.
    """

    def __init__(self, name: Reading, read: Callable[[], None], metrics: GroupMetrics, stop: threading.Event) -> None:
        super().__init__(name=f"read-{name}", daemon=True)
        self._reading = name
        self._read = read
        self._metrics = metrics
        self._stopped = stop
        self._turned = time.monotonic()
        self._log = get("lag")

    def age_s(self) -> float:
        """Return the seconds since the current or the last reading began."""
        return time.monotonic() - self._turned

    def run(self) -> None:
        failing = False
        while not self._stopped.is_set():
            self._turned = time.monotonic()
            try:
                self._read()
                failing = False
            except AuditlaneError as error:
                self._metrics.failed(self._reading)
                if not failing:
                    self._log.warning("reading.failed", reading=self._reading, error=str(error))
                failing = True
            self._stopped.wait(FRESH_S)
