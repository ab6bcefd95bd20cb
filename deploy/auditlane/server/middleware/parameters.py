"""Refuse a query parameter that a route does not know: a misspelt one must not silently do nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from auditlane.runtime.errors import InvalidFilter


def reject_unknown_parameters(*known: str) -> Callable[[Request], Awaitable[None]]:
    """A FastAPI dependency that raises InvalidFilter for any other query parameter, naming the known ones."""

    async def check(request: Request) -> None:
        unknown = sorted(set(request.query_params) - set(known))
        if unknown:
            raise InvalidFilter(
                f"There is no query parameter {unknown[0]!r}.",
                field=unknown[0],
                fix=f"Use one of: {', '.join(sorted(known))}." if known else "This route takes none.",
            )

    return check
