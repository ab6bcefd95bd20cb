"""Writes validated ranges: inserts into ClickHouse, and dead letters to Kafka."""
