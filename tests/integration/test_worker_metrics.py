"""Tests that a real worker exposes exactly the listed metrics, with values that match its work."""

from __future__ import annotations

from fixtures.workers import World, wait_until
from prometheus_client.parser import text_string_to_metric_families

from auditlane.runtime.metrics import exposed_by
from auditlane.store.migrate import known


def exposed(text: str) -> dict[str, str]:
    """Return the type of each metric by name, without the timestamps that the client library adds to counters and
    histograms.
    """
    families = list(text_string_to_metric_families(text))
    named = {one.name + "_total" * (one.type == "counter"): one.type for one in families}
    return {name: kind for name, kind in named.items() if not name.endswith("_created")}


def figures(text: str) -> dict[str, float]:
    """Return the value of each metric by name, summed over its labels."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def test_a_worker_exposes_every_listed_metric_and_none_unlisted(world: World) -> None:
    worker = world.worker()
    world.produce(100, partition=0)
    world.send(b"not an event", partition=1)
    world.completed()
    wait_until(lambda: figures(worker.get("/metrics"))["auditlane_worker_lag_records"] == 0)
    text = worker.get("/metrics")
    assert exposed(text) == exposed_by("worker")
    told = figures(text)
    assert told["auditlane_worker_messages_total"] == 101
    assert told["auditlane_worker_rows_total"] == 100
    assert told["auditlane_worker_dead_letters_total"] == 1
    assert told["auditlane_worker_bytes_total"] > 100 * 50
    assert told["auditlane_worker_parts_total"] >= 1
    assert told["auditlane_worker_freshness_seconds_count"] == told["auditlane_worker_ranges_total"]
    assert told["auditlane_worker_rebalances_total"] >= 1
    assert told["auditlane_worker_lag_seconds"] == 0
    assert told["auditlane_worker_insert_rate_factor"] == 1
    assert told["auditlane_worker_late_rows_total"] <= 100
    assert told["auditlane_worker_commit_seconds_count"] >= 2, "an intent and a completion"
    assert told["auditlane_worker_publish_seconds_count"] == 1
    assert told["auditlane_worker_pending_intent_seconds"] == 0
    assert told["auditlane_worker_window_tokens"] == told["auditlane_worker_parts_total"]
    assert told["auditlane_worker_window_size"] == 4_000_000
    assert told["auditlane_worker_expected_partitions"] == told["auditlane_worker_partitions"] == 2
    assert told["auditlane_store_version"] == known()[-1].version
    assert told["auditlane_registry_requests_total"] >= 1
    assert told["auditlane_registry_response_timestamp_seconds"] > 0
    assert told["process_resident_memory_bytes"] > 0
    assert worker.get_status("/health/live")[0] == 200
    assert worker.stop() == 0


def test_a_loop_that_does_not_turn_fails_the_liveness_probe(world: World) -> None:
    """Every iteration of the loop takes longer than the limit set here."""
    worker = world.worker(worker_stall_s=0.001)
    wait_until(lambda: worker.get_status("/health/live") == (503, '{"status": "stalled"}'), why=worker.tail)
    assert worker.stop() == 0


def test_the_state_of_brokers_is_known_from_librdkafka(world: World) -> None:
    worker = world.worker(kafka_extra={"statistics.interval.ms": 100})
    told = 'auditlane_worker_kafka_brokers{state="up"} 1.0'
    wait_until(lambda: told in worker.get("/metrics"), why=worker.tail)
    assert worker.stop() == 0


def test_a_killed_workers_range_is_counted_as_recovered(world: World) -> None:
    world.produce(10, partition=0)
    assert world.worker(failpoint="after_intent:kill").ended() != 0
    worker = world.worker()
    world.completed()
    told = figures(worker.get("/metrics"))
    assert told["auditlane_worker_recovered_intents_total"] == 1
    assert worker.stop() == 0


def test_the_lag_of_a_halted_partition_grows(world: World, clickhouse: str) -> None:
    """The end of the partition is queried from the brokers, since the partition is no longer fetched."""
    world.send(b"x", partition=0)
    world.commit(0, 5)  # past the end, as after a truncation of the log
    worker = world.worker()
    wait_until(lambda: figures(worker.get("/metrics"))["auditlane_worker_halted_partitions"] == 1, why=worker.tail)
    world.send(b"y", partition=0)
    wait_until(lambda: figures(worker.get("/metrics"))["auditlane_worker_lag_records"] == 2, why=worker.tail)
    assert worker.stop() == 0
