"""Requests that a browser on this machine sends for somebody else: for a page of another site, or to a foreign name
that leads here (DNS rebinding). What listens on the loopback interface refuses them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from auditlane.runtime.validators import is_loopback


def is_foreign(hosts: Iterable[str], origins: Iterable[str], own: Collection[str] = ()) -> bool:
    """Whether one of these `Host` or `Origin` headers names neither this machine nor one of the host names `own`.

    A request without them comes from no browser and is not foreign.
    """
    names = [_host(f"//{host}") for host in hosts] + [_host(origin) for origin in origins]
    return not all(name and (name in own or is_loopback(name)) for name in names)


def _host(url: str) -> str:
    """The host name of a URL; empty when it has none that could be read, as the origin `null` of a sandboxed page."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
