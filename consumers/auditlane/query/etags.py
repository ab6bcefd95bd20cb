"""Parses the ETags in the If-Match header, with which a change names the revision that it replaces."""

from __future__ import annotations

from fastapi import Request

from auditlane.runtime.errors import PreconditionMissing


def etags_of(request: Request) -> list[str] | None:
    """Return the ETags in If-Match, or None if the header is missing."""
    header = request.headers.get("if-match")
    if header is None:
        return None
    return [etag.strip().removeprefix("W/") for etag in header.split(",")]


def required_etags(request: Request, what: str) -> list[str]:
    """Return the ETags in If-Match. Raises PreconditionMissing if the header is missing. `what` names the resource,
    such as "structure".
    """
    given = etags_of(request)
    if given is None:
        raise PreconditionMissing(
            "The request does not name the revision that it changes.",
            field="If-Match",
            fix=f"Send the header If-Match with the ETag of the {what} you read, or * to overwrite any revision.",
        )
    return given
