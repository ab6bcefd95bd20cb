"""The embedded schema registry: Confluent's REST API for Avro on one SQLite file."""
