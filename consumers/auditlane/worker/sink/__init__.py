"""Writes validated ranges: inserts into ClickHouse, dead letters to Kafka.

`insert_pool` has the threads that validate, insert, look and retry; `circuit_breaker` stops a partition of which too
much is rejected.
"""
