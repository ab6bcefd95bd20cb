"""Our own audit trail: what requests did, aggregated, bounded in size, and sent to Kafka."""
