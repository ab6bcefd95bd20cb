"""From Kafka to rows on real parts: exact counts, dead letters, restarts, halts, drains."""

from __future__ import annotations

from fixtures.workers import World


def test_every_event_becomes_one_row(world: World) -> None:
    world.produce(500)
    worker = world.worker()
    world.stored(500)
    world.completed()
    assert world.counts() == (500, 500)
    assert '"status": "ready"' in worker.get("/health/ready")
    assert "auditlane_worker_rows_total 500.0" in worker.get("/metrics")
    assert worker.stop() == 0
