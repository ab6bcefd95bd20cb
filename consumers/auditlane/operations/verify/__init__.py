"""Compares what Kafka holds with what the table and the dead-letter topic hold, offset by offset.

`reconcile` decides the status of each offset, `content` compares values, `verifier` reads, `report` sums up.
"""
