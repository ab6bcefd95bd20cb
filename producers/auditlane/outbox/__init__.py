"""The transactional outbox: an event is a row of the service's own transaction, and a relay sends the row to Kafka.

`auditlane.outbox.sqlalchemy` and `auditlane.outbox.django` write rows; `auditlane outbox relay` sends them.
"""
