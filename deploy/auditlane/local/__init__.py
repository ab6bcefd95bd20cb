"""The embedded stack: Kafka, the schema registry, the ClickHouse engine, and the supervisor that keeps them running."""
