"""Record structlog's events that carry `audit`: `structlog.configure(processors=[AuditProcessor(), …])`."""

from auditlane.integrations.structlog.processor import AuditProcessor

__all__ = ["AuditProcessor"]
