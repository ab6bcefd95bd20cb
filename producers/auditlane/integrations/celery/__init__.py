"""Record Celery task failures, retries and revocations, and carry the context to tasks: `install(app)`."""

from auditlane.integrations.celery.installation import install

__all__ = ["install"]
