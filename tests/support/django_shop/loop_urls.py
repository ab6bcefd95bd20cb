"""The kill loop's only page. It changes an invoice, and ends the request in the way that the URL specifies."""

from __future__ import annotations

import os

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from auditlane.sdk import audit
from django_shop.models import Invoice


def change(request: HttpRequest, number: int, how: str) -> HttpResponse:
    """Create an invoice with the process id in its number. Respond with that id and the events that Kafka has
    acknowledged.
    """
    pid = os.getpid()
    with transaction.atomic():
        Invoice.objects.create(number=f"{number}-{pid}")
        if how == "rollback":
            transaction.set_rollback(True)
        if how == "raise":
            raise RuntimeError("after the change")
        if how == "savepoint":
            try:
                with transaction.atomic():
                    Invoice.objects.create(number=f"{number}-inner")
                    raise ValueError
            except ValueError:
                pass
    if how == "raise_late":
        raise RuntimeError("after the commit")
    acknowledged = bool(audit.flush(30)) if how == "flush" else False
    return JsonResponse({"pid": pid, "acknowledged": acknowledged})


urlpatterns = [path("<int:number>/<str:how>/", change)]
