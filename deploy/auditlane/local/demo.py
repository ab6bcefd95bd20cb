"""The demo: imports the sample once, says when it is stored, then a small service emits a few events a minute."""

from __future__ import annotations

import json
import signal
import sys
import threading
from typing import Final

SAMPLE_TENANT: Final = "123837392027"  # the account that the CloudTrail sample was recorded in
SAMPLE_VIEW: Final = {"from": "2023-07-10T11:30:00Z", "to": "2023-07-10T12:30:00Z"}  # when it was recorded
LIVE_TENANT: Final = "projects"
LIVE_EVERY_S: Final = 12.0


def main() -> None:
    """Runs until SIGTERM or SIGINT; `AUDITLANE_*` variables say where the parts are."""
    from auditlane.local.projects import ProjectService, Visitors
    from auditlane.local.sample import ensure
    from auditlane.runtime import log
    from auditlane.runtime.settings import load
    from auditlane.sdk import AuditClient, AuditlaneError

    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: sys.exit(0))
    settings = load()
    log.configure(settings.log_level, json=settings.log_json)
    logger = log.get("demo")
    rows = ensure(settings, SAMPLE_TENANT, logger)
    print(json.dumps({"ready": True, "rows": rows}), flush=True)
    audit = AuditClient(close_timeout_s=5)  # closed, with what is left flushed, at the exit
    visitors = Visitors(ProjectService(LIVE_TENANT, audit))
    while True:
        try:
            visitors.do_something()
        except AuditlaneError as error:  # a part is away: what people do now goes unseen, what they do later does not
            logger.warning("event.refused", reason=str(error))
        threading.Event().wait(LIVE_EVERY_S)


if __name__ == "__main__":
    main()
