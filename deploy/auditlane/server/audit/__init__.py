"""Our own audit trail: what requests did, aggregated, bounded, and sent to Kafka."""
