"""The transactional outbox. An event becomes a row in the transaction of the service, and a relay sends the row to
Kafka.

`auditlane.outbox.sqlalchemy` and `auditlane.outbox.django` write rows, and `auditlane outbox relay` sends them.
"""
