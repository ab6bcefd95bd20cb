"""Records failures, retries and revocations of Celery tasks, and passes the context to tasks. Call `install(app)`."""

from auditlane.integrations.celery.installation import install

__all__ = ["install"]
