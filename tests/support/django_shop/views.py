"""The shop's views. Some are typical of a real application, and others exist only for the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import django.contrib.auth
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_shop.models import Invoice


def create(request: HttpRequest, number: str) -> HttpResponse:
    """Create an invoice. `?then=` specifies how the request ends."""
    then = request.GET.get("then", "")
    with transaction.atomic():
        invoice = Invoice.objects.create(number=number)
        if then == "rollback":
            transaction.set_rollback(True)
        if then == "raise":
            raise RuntimeError("after the change")
        try:
            with transaction.atomic():
                Invoice.objects.create(number=f"{number}-inner")
                if then == "savepoint":
                    raise ValueError
        except ValueError:
            pass
    return HttpResponse(str(invoice.pk))


def leave(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        request.user.delete()
        django.contrib.auth.logout(request)
    return HttpResponse("gone")


async def create_async(request: HttpRequest, number: str) -> HttpResponse:
    user = await request.auser()
    invoice = await Invoice.objects.acreate(number=number)
    return HttpResponse(f"{user.pk} {invoice.pk}")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        yield "number\n"
        yield Invoice.objects.create(number="streamed").number

    return StreamingHttpResponse(parts())


async def stream_async(request: HttpRequest) -> StreamingHttpResponse:
    await request.auser()

    async def parts() -> AsyncIterator[str]:
        yield "number\n"
        yield (await Invoice.objects.acreate(number="streamed")).number

    return StreamingHttpResponse(parts())


class Api(APIView):
    def post(self, request: Request) -> Response:
        invoice = Invoice.objects.create(number=request.data["number"])
        return Response({"id": invoice.pk})


class StaffApi(APIView):
    permission_classes = (IsAdminUser,)

    def get(self, request: Request) -> Response:
        return Response({})
