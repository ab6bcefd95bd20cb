"""Detects requests that a browser on this machine sends on behalf of another site: cross-site requests, and requests to
a foreign host name that resolves to this machine (DNS rebinding).

Servers on the loopback interface reject them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from auditlane.runtime.validators import is_loopback


def is_foreign(hosts: Iterable[str], origins: Iterable[str], own: Collection[str] = ()) -> bool:
    """Return whether one of the `Host` or `Origin` headers names neither this machine nor a host name in `own`.

    A request without these headers does not come from a browser and is not foreign.
    """
    names = [_host(f"//{host}") for host in hosts] + [_host(origin) for origin in origins]
    return not all(name and (name in own or is_loopback(name)) for name in names)


def _host(url: str) -> str:
    """Return the host name of a URL, or "" if it has none, as in the origin `null` of a sandboxed page."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
