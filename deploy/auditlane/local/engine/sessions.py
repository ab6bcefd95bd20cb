"""Sessions over HTTP: the SET and USE statements of a session_id, said again on each request's fresh connection."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from auditlane.local.engine.errors import SESSION_IS_LOCKED, SESSION_NOT_FOUND, EngineError
from auditlane.local.engine.request import Request

MAX_TIMEOUT_S = 3600.0


@dataclass(slots=True)
class Session:
    """What a client said in one session; `until` on the monotonic clock."""

    said: list[str] = field(default_factory=list)
    busy: bool = False
    until: float = 0.0


class Sessions:
    """All sessions of the process; one request at a time in each, as in ClickHouse."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_id: dict[str, Session] = {}

    @contextlib.contextmanager
    def entered(self, request: Request) -> Iterator[Session | None]:
        """The request's session, None without one. Raises EngineError when it is busy or must exist and does not."""
        if not request.session_id:
            yield None
            return
        session = self._enter(request)
        try:
            yield session
        finally:
            with self._lock:
                session.busy = False
                session.until = self._clock() + min(request.session_timeout, MAX_TIMEOUT_S)

    def _enter(self, request: Request) -> Session:
        with self._lock:
            now = self._clock()
            self._by_id = {name: one for name, one in self._by_id.items() if one.busy or one.until > now}
            session = self._by_id.get(request.session_id)
            if session is None:
                if request.session_check:
                    raise EngineError(SESSION_NOT_FOUND, f"Session {request.session_id} not found")
                session = self._by_id[request.session_id] = Session()
            if session.busy:
                raise EngineError(SESSION_IS_LOCKED, f"Session {request.session_id} is locked by a concurrent client")
            session.busy = True
            return session
