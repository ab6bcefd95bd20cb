"""`/health/live`, `/health/ready` and `/metrics`: for what watches the process; they hold no tenant's data."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Literal

import anyio
import anyio.to_thread
from clickhouse_connect.driver.client import Client
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from auditlane.access.keys import KeysFile
from auditlane.access.signing import SigningKeys
from auditlane.runtime.errors import AuditlaneError, StoreRefused
from auditlane.server.metrics import HttpMetrics
from auditlane.store.client import store_errors

PROBE_TIMEOUT_S: Final = 2.0


class Live(BaseModel):
    """The process runs."""

    live: Literal[True] = True


class Part(BaseModel):
    """How one thing that the service needs is doing."""

    name: Literal["clickhouse", "keys", "signing-keys"]
    state: Literal["up", "stale", "away"] = Field(
        description="`stale`: the file's present version is broken, the last good one is in use."
    )
    problem: str | None = None


class Ready(BaseModel):
    """Whether requests can be served, and what each part contributes."""

    ready: bool
    parts: list[Part]


class StoreProbe:
    """Asks ClickHouse whether the readers' view is there, with the service's own credentials, within two seconds."""

    def __init__(self, connect: Callable[[], Client], database: str) -> None:
        """`connect` makes a client whose time-outs are PROBE_TIMEOUT_S."""
        self._connect = connect
        self._database = database
        self._client: Client | None = None
        self._lock = threading.Lock()  # one question at a time, however many probes wait for the answer

    def part(self) -> Part:
        """The state now. The message of a failure is ClickHouse's first line, without credentials."""
        try:
            with self._lock, store_errors():
                self._client = self._client or self._connect()
                there = self._client.command(f"EXISTS TABLE `{self._database}`.log")
            if there != 1:
                raise StoreRefused(f"The database {self._database} has no view `log`.", fix="Run `auditlane init`.")
        except AuditlaneError as error:
            self._client = None
            return Part(name="clickhouse", state="away", problem=str(error))
        return Part(name="clickhouse", state="up")

    def close(self) -> None:
        """Release the connection."""
        if self._client:
            self._client.close()


def build(probe: StoreProbe | None, keys: KeysFile, signing: SigningKeys, metrics: HttpMetrics) -> APIRouter:
    """The routes. `probe` is None when no role of this process reads from ClickHouse."""
    router = APIRouter(tags=["health"])
    # A thread of its own: slow queries, which take all the others, must not make the process look dead.
    prober = anyio.CapacityLimiter(1)

    @router.get("/health/live", summary="Does the process run?")
    async def live() -> Live:
        """Restart the process when this does not answer."""
        return Live()

    @router.get("/health/ready", summary="Can requests be served?", responses={503: {"model": Ready}})
    async def ready(response: Response) -> Ready:
        """Send no requests while this answers 503. Tokens are given out all the same."""
        parts = [await anyio.to_thread.run_sync(probe.part, limiter=prober)] if probe else []
        parts += [_file("keys", keys.problem), _file("signing-keys", signing.problem)]
        found = Ready(ready=all(part.state != "away" for part in parts), parts=parts)
        response.status_code = 200 if found.ready else 503
        return found

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def prometheus() -> Response:
        """Text format 0.0.4."""
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def _file(name: Literal["keys", "signing-keys"], problem: str) -> Part:
    return Part(name=name, state="stale" if problem else "up", problem=problem or None)
