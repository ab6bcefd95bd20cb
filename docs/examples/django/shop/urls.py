"""The shop's pages: its admin, and a report that records a specific event."""

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.urls import path

from auditlane.integrations.django import bulk
from auditlane.sdk import audit
from shop.models import Invoice


@login_required(login_url="/admin/login/")
def report(request: HttpRequest) -> JsonResponse:
    """Return the sum of all invoices, and record who requested it."""
    totals = [invoice.total for invoice in Invoice.objects.all()]
    audit.record(action="report.viewed", resource="report", outcome="success", metadata={"invoices": len(totals)})
    return JsonResponse({"sum": str(sum(totals))})


@login_required(login_url="/admin/login/")
def pay_all(request: HttpRequest) -> JsonResponse:
    """Mark all invoices as paid with one statement, which is recorded as one event."""
    unpaid = Invoice.objects.filter(paid=False)
    paid = unpaid.update(paid=True)
    bulk(unpaid, "invoice.paid", count=paid)
    return JsonResponse({"paid": paid})


urlpatterns = [
    path("admin/", admin.site.urls),
    path("report/", report),
    path("pay-all/", pay_all),
]
