"""Compares what Kafka holds with what the table and the dead-letter topic hold, offset by offset."""
