"""Measures the CPU time of each of the worker's steps in this process: `python tests/bench/bench_stages.py`.

It prints the best of several rounds over the same messages, in CPU microseconds per event of the thread that runs the
step.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_worker import Load, parts
from confluent_kafka import Consumer, TopicPartition
from load import SCENARIOS

from auditlane.contract.kafka_messages import columns_of
from auditlane.contract.message_columns import Columns
from auditlane.store import preflight
from auditlane.store.client import connect
from auditlane.store.event_insert import EncodedBatch, Writer, columns_to_send
from auditlane.worker.consumer import consumer_config
from auditlane.worker.consumer_loop import BATCH, TURN_S
from auditlane.worker.protocol.partition_state import Range, digest
from auditlane.worker.validation.batch import RawRange
from auditlane.worker.validation.event_columns import EVENTS
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator


def stages(load: Load, rows: int) -> dict[str, float]:
    """Return the CPU time in µs per event of each step, for ranges of `rows` messages."""
    spent: dict[str, float] = {}
    seen: dict[str, int] = {}

    def timed(name: str, what: Callable[[], Any], events: int) -> Any:
        before = time.thread_time()
        answer = what()
        spent[name] = spent.get(name, 0.0) + time.thread_time() - before
        seen[name] = seen.get(name, 0) + events
        return answer

    consumer = Consumer(consumer_config(load.settings, protocol="classic"))
    consumer.assign([TopicPartition(load.settings.topic, one, 0) for one in range(load.settings.topic_partitions)])
    validator = BatchValidator(
        SchemaCache(load.registry, topic=load.settings.topic, refresh_s=600),
        topic=load.settings.topic,
        max_event_bytes=load.settings.max_event_bytes,
    )
    left, held = load.count, {}
    process = time.process_time()
    threads = 0.0
    while left:
        before = time.thread_time()
        messages = consumer.consume(BATCH, TURN_S)
        spent["consume"] = spent.get("consume", 0.0) + time.thread_time() - before
        seen["consume"] = seen.get("consume", 0) + len(messages)
        left -= len(messages)
        for at, columns in timed("columns of messages", lambda m=messages: columns_of(m)[0], len(messages)).items():
            held.setdefault(at, Columns()).extend(columns)
        threads += time.thread_time() - before
    spent["librdkafka's threads"], seen["librdkafka's threads"] = time.process_time() - process - threads, load.count
    consumer.close()
    with load.run() as (settings, _):
        client = connect(settings)
        writer = Writer(client, preflight.check(client, settings.clickhouse_database, EVENTS.names, parts_per_second=4))
        for at, columns in held.items():
            while columns:
                cut = columns.take(columns.fitting(rows, 1 << 30))
                count = len(cut)
                text = timed("digest", lambda c=cut: digest(c), count)
                sealed = Range(at, _ID, cut.offsets[0], cut.offsets[-1], cut, text, 1)
                raw = RawRange(at[0], _ID, at[1], cut.offsets, cut.timestamps_ms, cut.keys, cut.values)
                result = timed("judge", lambda r=raw: validator.validate(r, ingested_at_ms=1_750_000_000_000), count)
                for month, accepted in result.rows.items():
                    packed = timed("serialise", lambda s=sealed, a=accepted: EncodedBatch(columns_to_send(a, s)), count)
                    timed("send", lambda s=sealed, m=month, p=packed: writer.insert(s, m, p), count)
        client.close()
    return {name: spent[name] / seen[name] * 1e6 for name in spent}


_ID = "6f9619ff-8b86-4011-b42d-00c04fc964ff"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="auditlane-bench-") as folder, parts(Path(folder)) as running:
        for scenario in SCENARIOS:
            if not scenario.startswith(options.only):
                continue
            load = Load(running, scenario, options.events)
            rounds = [stages(load, options.rows) for _ in range(options.rounds)]
            print(f"\n{scenario}, {load.size / load.count:.0f} bytes an event, ranges of {options.rows:,}")
            for name in rounds[0]:
                print(f"  {name:26}{min(one[name] for one in rounds):6.2f} µs")
            print(f"  {'sum':26}{sum(min(one[name] for one in rounds) for name in rounds[0]):6.2f} µs", flush=True)


if __name__ == "__main__":
    main()
