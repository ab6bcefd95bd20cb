"""The Kafka side of the agreement between producers, workers and operators' tools.

Events: `event` (the model), `avro` (its schema, `event.avsc`), `wire` (framing), `registry` (the client),
`tenant_contract` and `rules` (what a tenant's schema requires), `reject_codes`, `dead_letter`. The log: `partition`,
`message_columns`, `brokers`, `intent` (the plan of a write, which workers commit as metadata) and `recovery` (where to
start an assigned partition, decided from that plan).
"""
