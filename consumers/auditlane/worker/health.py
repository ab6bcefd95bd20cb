"""The worker's HTTP endpoints: `/metrics`, `/health/live`, `/health/ready`.

On the loopback interface, readiness includes the halted and failing partitions. On other addresses, which anyone on the
network can reach, it is only the status.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from auditlane.runtime.monitoring import Answer, MonitoringServer
from auditlane.runtime.validators import is_loopback

Reasons = Callable[[], dict[str, str]]
Failing = Callable[[], dict[str, dict[str, str]]]
KeyIds = Callable[[], Collection[str]]


def health_server(
    host: str,
    port: int,
    *,
    metrics: Callable[[], bytes],
    live: Callable[[], bool],
    ready: Reasons,
    halted: Reasons,
    failing: Failing,
    verifies: KeyIds,
) -> MonitoringServer:
    """Create the worker's health server.

    `live` returns whether the consuming loop is running. `ready` returns the reasons why the worker is not ready, by
    component; an empty mapping means ready. `halted` returns the halted partitions with the reason. `failing` returns
    the partitions whose range has failed for a minute and is retried, each with `since` and the last `error`. The other
    partitions continue, so the worker stays ready. `verifies` returns the ids of its provenance keys. These three are
    shown only on loopback addresses.
    """
    near = is_loopback(host)

    def liveness() -> Answer:
        turns = live()
        return Answer.json(200 if turns else 503, {"status": "live" if turns else "stalled"})

    def readiness() -> Answer:
        missing = ready()
        shown: dict[str, object] = {"status": "waiting" if missing else "ready"}
        if near:
            shown |= {"missing": missing, "halted": halted(), "failing": failing()}
            shown["provenance_keys"] = sorted(verifies())
        return Answer.json(503 if missing else 200, shown)

    routes = {
        "/metrics": lambda: Answer.metrics(metrics()),
        "/health/live": liveness,
        "/health/ready": readiness,
    }
    return MonitoringServer(host, port, routes, fix="Set AUDITLANE_WORKER_PORT to a free port, or to 0.")
