"""Rejects unknown query parameters, so that a misspelled one is not silently ignored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from auditlane.runtime.errors import InvalidFilter


def reject_unknown_parameters(*known: str) -> Callable[[Request], Awaitable[None]]:
    """Return a FastAPI dependency that raises InvalidFilter for any query parameter not in `known`."""

    async def check(request: Request) -> None:
        unknown = sorted(set(request.query_params) - set(known))
        if unknown:
            raise InvalidFilter(
                f"Unknown query parameter {unknown[0]!r}.",
                field=unknown[0],
                fix=f"Use one of: {', '.join(sorted(known))}." if known else "Remove it: this route has none.",
            )

    return check
