"""Record log records that carry `audit`. To install it, call `logging.getLogger().addHandler(AuditHandler())`."""

from auditlane.integrations.logging.handler import AuditHandler

__all__ = ["AuditHandler"]
