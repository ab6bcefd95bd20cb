"""Records log records that carry `audit`. To install, call `logging.getLogger().addHandler(AuditHandler())`."""

from auditlane.integrations.logging.handler import AuditHandler

__all__ = ["AuditHandler"]
