"""Tests the SDK's own log. Its handlers may themselves record events."""

from __future__ import annotations

import logging
import threading

from auditlane.sdk.logs import log, log_later, write_all


def test_a_handler_that_causes_messages_does_not_loop_forever():
    seen: list[str] = []

    class Records(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert len(seen) < 100
            seen.append(record.getMessage())
            log_later(logging.ERROR, "the event could not be recorded")

    handler = Records()
    log.addHandler(handler)
    try:
        log_later(logging.ERROR, "Kafka is away")
        write_all()
        for thread in threading.enumerate():
            if thread.name == "auditlane-log":
                thread.join()
    finally:
        log.removeHandler(handler)
    assert seen == ["Kafka is away"]
