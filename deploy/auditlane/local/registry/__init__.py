"""The embedded schema registry. It offers Confluent's REST API for Avro and keeps its data in one SQLite file."""
