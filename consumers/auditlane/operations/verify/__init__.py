"""Compares Kafka with the table and the dead-letter topic, offset by offset.

`reconcile` decides the status of each offset, `content` compares values, `verifier` reads, and `report` summarizes.
"""
