"""Middleware that provides the user, tenant and address for every event of a request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from auditlane.integrations.django.request_context import RequestContext


class AuditMiddleware:
    """Enters a context around each request, in synchronous and asynchronous projects. List it first in MIDDLEWARE.

    Its position determines which other middleware runs inside the context. It need not come after authentication, since
    the user is read only when an event is built.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._call_async(request)
        with RequestContext(request) as context:
            return _streaming_within(context, cast(HttpResponseBase, self._get_response(request)))

    async def _call_async(self, request: HttpRequest) -> HttpResponseBase:
        with RequestContext(request) as context:
            return _streaming_within(context, cast(HttpResponseBase, await self._get_response(request)))


def _streaming_within(context: RequestContext, response: HttpResponseBase) -> HttpResponseBase:
    """Produce a streamed response's parts within the context. A file response is returned unchanged."""
    if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
        parts: Any = response.streaming_content
        response.streaming_content = _async_parts(context, parts) if response.is_async else _parts(context, parts)
    return response


def _parts(context: RequestContext, parts: Iterator[bytes]) -> Iterator[bytes]:
    while True:
        with context:
            try:
                part = next(parts)
            except StopIteration:
                return
        yield part


async def _async_parts(context: RequestContext, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        with context:
            try:
                part = await anext(parts)
            except StopAsyncIteration:
                return
        yield part
