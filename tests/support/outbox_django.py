"""A Django service with an outbox. It applies the migrations, runs transactions, and prints the result as JSON."""

from __future__ import annotations

import io
import json
import os

import django
from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from auditlane.runtime.errors import ConfigError


def main() -> None:
    """Try to emit an event outside a transaction. Then emit three events, two of which are committed."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["OUTBOX_DATABASE"]}
    settings.configure(INSTALLED_APPS=["auditlane.outbox.django"], DATABASES={"default": database}, USE_TZ=True)
    django.setup()
    call_command("migrate", verbosity=0)
    changes = io.StringIO()
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0, stdout=changes)
    from auditlane.outbox.django.emit import emit
    from auditlane.outbox.django.models import OutboxEvent
    from auditlane.sdk import audit

    event = {"tenant_id": os.environ["OUTBOX_TENANT"], "action": "document.deleted"}
    outside = ""
    try:
        emit(**event)
    except ConfigError as error:
        outside = error.code
    with transaction.atomic():
        emit(**event, resource_id="kept")
        try:
            with transaction.atomic():
                emit(**event, resource_id="undone")
                raise LookupError
        except LookupError:
            pass
        emit(**event, resource_id="second")
    audit.close()
    print(json.dumps({"outside": outside, "rows": OutboxEvent.objects.count(), "migrations": changes.getvalue()}))


if __name__ == "__main__":
    main()
