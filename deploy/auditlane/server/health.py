"""The routes `/health/live`, `/health/ready` and `/metrics`, for monitoring. They contain no tenant's data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from auditlane.runtime import validators
from auditlane.runtime.errors import Forbidden
from auditlane.runtime.foreign_requests import is_foreign
from auditlane.runtime.settings import Settings
from auditlane.server.services import Services, services_of

AppServices = Annotated[Services, Depends(services_of)]


class Live(BaseModel):
    """States that the process is running."""

    live: Literal[True] = True


class PartState(BaseModel):
    """One dependency's public state. The log and `/v1/admin/health` contain a problem's details."""

    name: Literal["kafka", "clickhouse", "keys", "signing-keys"]
    state: Literal["up", "stale", "away"] = Field(
        description="`stale`: the current version of the file is invalid; the last valid version is in use."
    )
    problem: str | None = Field(None, description="What to check. Contains no host names, paths or data.")


class Ready(BaseModel):
    """Whether this process can serve requests, and the state of each dependency."""

    ready: bool
    parts: list[PartState]


_NOT_READY: Final[dict[str, Any]] = {
    "model": Ready,
    "content": {
        "application/json": {
            "example": {
                "ready": False,
                "parts": [{"name": "clickhouse", "state": "away", "problem": "Run `auditlane init`."}],
            }
        }
    },
}


async def live() -> Live:
    """Returns 200 while the process is running. Restart the process if this request fails."""
    return Live()


async def ready(response: Response, services: AppServices) -> Ready:
    """Returns 503 while no role of this process can work. Do not send it requests until it returns 200.

    A process with both roles is ready while at least one of them can work. Tokens can be requested at any time.
    """
    able, parts = await services.readiness.check()
    response.status_code = 200 if able else 503
    return Ready(ready=able, parts=[PartState(name=part.name, state=part.state, problem=part.fix) for part in parts])


async def prometheus(services: AppServices) -> Response:
    """Returns metrics in text format 0.0.4. With several processes, they cover all of them."""
    await services.readings.refresh()
    return Response(services.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


def build(settings: Settings) -> APIRouter:
    """Return the three routes. On the loopback interface, requests for other hosts are rejected."""
    hosts = _loopback_hosts(settings)
    router = APIRouter(tags=["health"], dependencies=[] if hosts is None else [Depends(_only_for(hosts))])
    router.get("/health/live", summary="Check that the process is running")(live)
    router.get("/health/ready", summary="Check that the process can serve requests", responses={503: _NOT_READY})(ready)
    router.get("/metrics", summary="Get metrics in Prometheus' text format", response_class=Response)(prometheus)
    return router


def _loopback_hosts(settings: Settings) -> frozenset[str] | None:
    """Return the host names that are allowed in addition to those of the loopback interface. Returns None if the
    process listens elsewhere.
    """
    if not validators.is_loopback(settings.serve_host):
        return None
    urls = (settings.serve_url, *validators.listed(settings.cors_origins))
    return frozenset(filter(None, (urlsplit(url).hostname for url in urls)))


def _only_for(hosts: Collection[str]) -> Callable[[Request], Awaitable[None]]:
    async def check(request: Request) -> None:
        if is_foreign(request.headers.getlist("host"), request.headers.getlist("origin"), hosts):
            raise Forbidden(
                "Requests for other hosts and from other sites are rejected.",
                fix="Use 127.0.0.1, localhost, or the host of AUDITLANE_SERVE_URL.",
            )

    return check
