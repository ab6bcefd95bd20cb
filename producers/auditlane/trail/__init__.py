"""Records auditlane's own audit trail. Records are aggregated, bounded in size, signed, and sent to Kafka or spooled.

Every auditlane process can use it. Start with `sink`.
"""
