"""Write events to the outbox in a Django transaction. Add `auditlane.outbox.django` to INSTALLED_APPS, and migrate.

from auditlane.outbox.django.emit import emit

with transaction.atomic():
    document.delete()
    emit(action="document.deleted", resource="document", resource_id=document_id)
"""
