"""Record failures, retries and revocations of Celery tasks, and carry the context to tasks. Call `install(app)`."""

from auditlane.integrations.celery.installation import install

__all__ = ["install"]
