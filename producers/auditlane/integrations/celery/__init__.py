"""Record failures, retries and revocations of Celery's tasks, and carry the context to them: `install(app)`."""

from auditlane.integrations.celery.installation import install

__all__ = ["install"]
