"""The Kafka side of the agreement between producers, workers and operators' tools.

`event` is the model of an event, `avro` its schema (`event.avsc`), `wire` frames it, and `registry` is the registry
client. `tenant_contract` and `rules` represent the requirements in a tenant's schema. `reject_codes` and `dead_letter`
describe rejected messages. `partition`, `message_columns` and `brokers` represent the log. `intent` is the plan of a
write, which workers commit as metadata, and from which `recovery` decides where to start an assigned partition.
"""
