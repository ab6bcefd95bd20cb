"""Writes validated ranges: inserts into ClickHouse, dead letters to Kafka.

`insert_pool` has the threads that validate and write a range; the INSERT itself is in `store.event_insert`.
`circuit_breaker` halts a partition when too many of its messages are rejected, `late_budget` delays late months.
"""
