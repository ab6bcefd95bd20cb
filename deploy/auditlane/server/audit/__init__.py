"""The service's own audit trail: records of requests are aggregated, bounded in size, and sent to Kafka."""
