"""Moves events from Kafka to ClickHouse exactly once.

`service` builds and runs one process. `consumer_loop` is its consuming thread. It feeds `protocol.core`, which makes
the decisions, and executes the core's actions. `validation` turns messages into rows, and `sink` writes them.
"""
