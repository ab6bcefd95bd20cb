"""Measures how fast messages can be received and dropped with the worker's consumer options.

Prints the resource usage.
"""

from __future__ import annotations

import json
import sys
import time

from confluent_kafka import Consumer, TopicPartition

from auditlane.runtime.settings import load
from auditlane.worker.consumer import consumer_config
from auditlane.worker.consumer_loop import BATCH, TURN_S

task = json.loads(sys.argv[1])
settings = load(kafka_bootstrap=task["bootstrap"], consumer_group=task["group"], topic=task["topic"])
consumer = Consumer(consumer_config(settings, protocol="classic"))
consumer.assign([TopicPartition(task["topic"], number, 0) for number in range(settings.topic_partitions)])
seen, started, cpu = 0, 0.0, 0.0
while seen < task["messages"]:
    got = consumer.consume(BATCH, TURN_S)
    if got and not seen:
        started, cpu = time.perf_counter(), time.process_time()
    seen += len(got)
used = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - started}
print(json.dumps(used | {"messages": seen}), flush=True)
