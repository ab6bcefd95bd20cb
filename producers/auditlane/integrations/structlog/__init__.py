"""Record structlog's events that carry `audit`. To install it, call `structlog.configure(processors=[AuditProcessor(),
…])`.
"""

from auditlane.integrations.structlog.processor import AuditProcessor

__all__ = ["AuditProcessor"]
