"""The base URL of links to the pages: the configured URL, or the address on which this process listens if none is set.

A request's sender controls its Host header, so a link is built from it only if it names this process itself.
"""

from __future__ import annotations

import re
from typing import Any, Final

from auditlane.runtime.errors import InvalidInput

_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?", re.ASCII)
_PORTS: Final = {"http": 80, "https": 443}


def base_of(request: Any, url: str) -> str:
    """Return the base URL for links in this request's response: `url` (AUDITLANE_SERVE_URL) if it is set.

    `request` is any object with Starlette's `headers`, `scope` and `url`. Raises InvalidInput for a foreign Host
    header.
    """
    return base(url, scheme=request.url.scheme, host=request.headers.get("host", ""), at=request.scope.get("server"))


def base(url: str, *, scheme: str, host: str, at: tuple[str, int | None] | None) -> str:
    """Return the base URL like `base_of`, from parts of a request.

    `at` is the connection's local address and port, if known.
    """
    if url:
        return url.rstrip("/")
    found = _HOST.fullmatch(host.lower())
    if found and at and at[1] is not None:
        own = f"[{at[0]}]" if ":" in at[0] else at[0]
        if found[1] in (*_LOOPBACK, own.lower()) and int(found[2] or _PORTS.get(scheme, 0)) == at[1]:
            return f"{scheme}://{found[0]}"
    raise InvalidInput(
        "Cannot create links: the Host header of this request does not name the service.",
        field="Host",
        fix="Set AUDITLANE_SERVE_URL to the URL at which clients reach the service.",
    )
