"""The shop's tenants, identified by host name, such as acme.example."""

from __future__ import annotations

from django.http import HttpRequest


def tenant_of(request: HttpRequest) -> str | None:
    name = request.get_host().partition(".")[0]
    if name == "broken":
        raise RuntimeError("no tenant today")
    return None if name in ("testserver", "localhost", "127") else name
