"""Record the changes that SQLAlchemy sessions commit to rows of chosen models. Call `audit_models(Session, [User,
Document])`.
"""

from auditlane.integrations.sqlalchemy.auditor import Auditor, audit_models
from auditlane.integrations.sqlalchemy.models import AuditedModel, audited_model

__all__ = ["AuditedModel", "Auditor", "audit_models", "audited_model"]
