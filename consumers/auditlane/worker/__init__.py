"""Moves events from Kafka to ClickHouse, exactly once.

`service` builds and runs one process. `consumer_loop` is its consuming thread: it feeds `protocol.core`, which decides,
and executes the core's actions. `validation` turns messages into rows, `sink` writes them.
"""
