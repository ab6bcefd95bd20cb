"""The exactly-once protocol as a pure state machine: no Kafka, no ClickHouse, no Arrow."""
