"""Kafka to ClickHouse, exactly once: a pure core that decides, a thin runner that does."""
