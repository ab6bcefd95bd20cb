"""Where links of ours lead: to the address that was configured, else to the one that this process listens on.

A request's header Host is whatever its sender wrote, so nothing is built from it unless it names ourselves.
"""

from __future__ import annotations

import re
from typing import Any, Final

from auditlane.runtime.errors import InvalidInput

_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?", re.ASCII)
_PORTS: Final = {"http": 80, "https": 443}


def base_of(request: Any, url: str) -> str:
    """The URL that links answered to this request begin with: `url` (AUDITLANE_SERVE_URL) when it is set.

    `request` is anything with Starlette's `headers`, `scope` and `url`. Raises InvalidInput for a Host that is none of
    ours.
    """
    return base(url, scheme=request.url.scheme, host=request.headers.get("host", ""), at=request.scope.get("server"))


def base(url: str, *, scheme: str, host: str, at: tuple[str, int | None] | None) -> str:
    """`base_of` by its parts; `at` is the address and the port of this end of the connection, None when it has none."""
    if url:
        return url.rstrip("/")
    found = _HOST.fullmatch(host.lower())
    if found and at and at[1] is not None:
        own = f"[{at[0]}]" if ":" in at[0] else at[0]
        if found[1] in (*_LOOPBACK, own.lower()) and int(found[2] or _PORTS.get(scheme, 0)) == at[1]:
            return f"{scheme}://{found[0]}"
    raise InvalidInput(
        "Links cannot be made for the address that this request names.",
        field="Host",
        fix="Set AUDITLANE_SERVE_URL to where clients reach the service.",
    )
