"""Writes validated ranges. Rows are inserted into ClickHouse, and dead letters are sent to Kafka.

`insert_pool` contains the threads that validate and write a range. The INSERT itself is in `store.event_insert`.
`circuit_breaker` halts a partition when too many of its messages are rejected, and `late_budget` delays late periods.
"""
