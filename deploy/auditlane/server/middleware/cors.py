"""Determines which other origins may call the API (CORS), as the viewer does inside a vendor's product.

Requests from these origins need a token, because browsers attach auditlane's cookies only to requests from its own
pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

SENT: Final = (
    "authorization",
    "auditlane-tenant",
    "content-type",
    "frontegg-tenant-id",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "range",
    "x-access-token",
    "x-request-id",
)
READ: Final = ("auditlane-rows", "content-disposition", "content-range", "etag", "retry-after", "x-request-id")
MAX_AGE_S: Final = 600


def install(app: FastAPI, origins: Sequence[str]) -> None:
    """Allow cross-origin requests from these origins only."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=list(SENT),
        expose_headers=list(READ),
        max_age=MAX_AGE_S,
    )
