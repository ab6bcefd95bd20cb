"""The Kafka side of the agreement between producers, workers and operators' tools.

Events: `event` (the model), `avro` (its schema, `event.avsc`), `wire` (framing), `registry` (the client),
`tenant_contract` and `rules` (what a tenant's schema demands), `reject_codes`, `dead_letter`. The log: `partition`,
`message_columns`, `brokers`, and what workers commit: `intent` (the plan of a write, in the commit's metadata) and
`recovery` (where a partition begins, decided from it).
"""
