"""The transactional outbox. An event becomes a row in the service's own transaction, and a relay sends the row to
Kafka.

`auditlane.outbox.sqlalchemy` and `auditlane.outbox.django` write rows, and `auditlane outbox relay` sends them.
"""
