"""Record what SQLAlchemy sessions commit to rows of chosen models: `audit_models(Session, [User, Document])`."""

from auditlane.integrations.sqlalchemy.auditor import Auditor, audit_models
from auditlane.integrations.sqlalchemy.models import AuditedModel, audited_model

__all__ = ["AuditedModel", "Auditor", "audit_models", "audited_model"]
