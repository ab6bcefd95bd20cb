"""Moves events from Kafka to ClickHouse exactly once.

`service` builds and runs one process. `consumer_loop` is its consuming thread, which feeds `protocol.core` and executes
the actions that it decides on. `validation` turns messages into rows, and `sink` writes them.
"""
