"""The demo's process. It stores the history, reports that it is ready, and then emits live events until it is
stopped.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from datetime import UTC, datetime
from typing import Final

LIVE_EVERY_S: Final = 8.0


def main() -> None:
    """Run until SIGTERM or SIGINT. `AUDITLANE_*` variables locate the stack and the data directory."""
    from auditlane.local.demo import backfill, origin
    from auditlane.local.demo.chance import seeded
    from auditlane.local.demo.history import histories
    from auditlane.local.demo.live import Live
    from auditlane.runtime import log
    from auditlane.runtime.settings import load
    from auditlane.sdk import AuditClient, AuditlaneError

    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: sys.exit(0))
    settings = load()
    log.configure(settings.log_level, json=settings.log_json)
    logger = log.get("demo")
    now = datetime.now(UTC)
    first = origin.load_or_create(settings.data_dir, now)
    past = histories(first.seed, first.start)
    rows = backfill.ensure(settings, [event for history in past for event in history.until(now)], logger)
    print(json.dumps({"ready": True, "rows": rows}), flush=True)
    live = Live(past, seeded(first.seed, now.isoformat()))
    audit = AuditClient(url="", close_timeout_s=5)  # closes and flushes at exit
    while True:
        try:
            audit.emit(live.event(datetime.now(UTC)))
        except AuditlaneError as error:  # a component is unavailable: the demo loses this event, but no later ones
            logger.warning("event.refused", reason=str(error))
        time.sleep(LIVE_EVERY_S)


if __name__ == "__main__":
    main()
