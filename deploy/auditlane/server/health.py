"""`/health/live`, `/health/ready` and `/metrics`: for what watches the process; they hold no tenant's data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, Literal

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from auditlane.runtime.errors import Forbidden
from auditlane.runtime.foreign_requests import is_foreign
from auditlane.runtime.log import get
from auditlane.server.auth.authentication import Authenticator
from auditlane.server.metrics import HttpMetrics
from auditlane.server.probes import Part, Probe


class Live(BaseModel):
    """The process runs."""

    live: Literal[True] = True


class PartState(BaseModel):
    """How one part is doing, as anybody may know it. What went wrong is in the log and in `/v1/admin/health`."""

    name: Literal["kafka", "clickhouse", "keys", "signing-keys"]
    state: Literal["up", "stale", "away"] = Field(
        description="`stale`: the file's present version is broken, the last good one is in use."
    )
    problem: str | None = Field(None, description="What to look at; no host, path or content.")


class Ready(BaseModel):
    """Whether requests can be served, and how each part is doing."""

    ready: bool
    parts: list[PartState]


_AWAY: Final[dict[str, Any]] = {
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


def build(
    probes: Sequence[Probe],
    authenticator: Authenticator,
    metrics: HttpMetrics,
    *,
    names: Collection[str] | None = None,
) -> APIRouter:
    """The routes. `probes` has one for each role of this process.

    `names`: the host names beside the loopback's by which this process is asked, where it listens on the loopback
    interface; requests for others are refused. None: it listens elsewhere, and answers by any name.
    """
    router = APIRouter(tags=["health"], dependencies=[] if names is None else [Depends(_only_for(names))])
    said: dict[str, str | None] = {}  # what the log last said of a part
    # A thread of its own: slow queries, which take all the others, must not make the process look dead.
    prober = anyio.CapacityLimiter(max(1, len(probes)))

    @router.get("/health/live", summary="Does the process run?")
    async def live() -> Live:
        """Restart the process when this does not answer."""
        return Live()

    @router.get("/health/ready", summary="Can requests be served?", responses={503: _AWAY})
    async def ready(response: Response) -> Ready:
        """Send no requests while this answers 503: no role of this process can do its work.

        A process that takes events and shows them is ready while it can do one of the two. Tokens are given out always.
        """
        parts: list[Part] = []

        async def ask(probe: Probe) -> None:
            parts.append(await anyio.to_thread.run_sync(probe.part, limiter=prober))

        async with anyio.create_task_group() as asking:
            for probe in probes:
                asking.start_soon(ask, probe)
        parts.sort(key=lambda part: part.name)
        able = any(part.state == "up" for part in parts)
        parts += [_file("keys", authenticator.keys.problem), _file("signing-keys", authenticator.signing.problem)]
        for part in parts:
            if part.problem != said.get(part.name):
                said[part.name] = part.problem
                get("serve").warning("health.part", part=part.name, state=part.state, problem=part.problem)
        shown = [PartState(name=part.name, state=part.state, problem=part.fix) for part in parts]
        found = Ready(ready=able, parts=shown)
        response.status_code = 200 if found.ready else 503
        return found

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def prometheus() -> Response:
        """Text format 0.0.4."""
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def _only_for(names: Collection[str]) -> Callable[[Request], Awaitable[None]]:
    async def check(request: Request) -> None:
        if is_foreign(request.headers.getlist("host"), request.headers.getlist("origin"), names):
            raise Forbidden(
                "Requests for other hosts and from other sites are refused.",
                fix="Ask for 127.0.0.1 or localhost, or for the host of AUDITLANE_SERVE_URL.",
            )

    return check


def _file(name: Literal["keys", "signing-keys"], problem: str) -> Part:
    return Part(name=name, state="stale" if problem else "up", problem=problem or None)
