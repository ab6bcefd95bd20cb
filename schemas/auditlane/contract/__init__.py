"""The Kafka side of the agreement: the event, its Avro schema, the wire codec, the registry client, tenants' rules."""
