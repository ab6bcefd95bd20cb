"""Requests to `auditlane serve`: the credential, its renewal, and problems as the errors that the service raised."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import urllib3
import urllib3.exceptions

from auditlane.runtime import validators
from auditlane.runtime.errors import AuditlaneError, ConfigError, InvalidInput, NotFound, Unauthenticated, Unavailable

TENANT_HEADER: Final = "Auditlane-Tenant"
_TRIES: Final = urllib3.Retry(
    total=4, backoff_factor=0.3, status_forcelist=(502, 503, 504), allowed_methods=("GET",), raise_on_status=False
)
Pairs = Sequence[tuple[str, str]]


class Http:
    """One service, one credential, and with a client's a tenant. Thread-safe."""

    def __init__(
        self, url: str, *, token: str, client_id: str, secret: str, tenant: str, timeout_s: float, ca: str
    ) -> None:
        """Raises ConfigError for a URL that is none, and without a credential."""
        try:
            self._url = validators.http_url(url.strip()).rstrip("/")
        except ValueError as error:
            raise ConfigError(f"The service's URL is not valid: {error}.", field="url") from error
        if not token and not (client_id and secret):
            raise ConfigError("There is no credential.", fix="Give a token, or a client_id and its secret.")
        self._token = token
        self._key = {"client_id": client_id, "secret": secret} if client_id and secret else None
        self._tenant = tenant
        self._timeout_s = timeout_s
        self._ca = ca
        self.after_fork()
        _all.add(self)

    def after_fork(self) -> None:
        """In a forked child, as at first: a lock and connections that no other process uses."""
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(timeout=self._timeout_s, ca_certs=self._ca or None, maxsize=4)

    def json(self, method: str, path: str, *, fields: Pairs = (), body: Any = None) -> Any:
        """The answer's JSON, None where it has none. Raises what the service said, and Unavailable."""
        answer = self.send(method, path, fields=fields, body=body)
        return json.loads(answer.data) if answer.data else None

    def send(
        self,
        method: str,
        path: str,
        *,
        fields: Pairs = (),
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """An answer that is no problem; with `stream` its body is not read yet. A token that has ended is renewed."""
        token = self._token or self._renewed("")
        answer = self._once(method, path, token, fields, body, headers, stream=stream)
        if answer.status == 401 and self._key:
            answer.drain_conn()
            answer = self._once(method, path, self._renewed(token), fields, body, headers, stream=stream)
        if answer.status >= 400:
            with broken_connections():
                raise error_of(answer.status, answer.data)
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _once(
        self,
        method: str,
        path: str,
        token: str,
        fields: Pairs,
        body: Any,
        headers: Mapping[str, str] | None,
        *,
        stream: bool,
    ) -> urllib3.BaseHTTPResponse:
        sent = {"Authorization": f"Bearer {token}", "Accept": "application/json, */*", **(headers or {})}
        if self._tenant:
            sent[TENANT_HEADER] = self._tenant
        url = f"{self._url}{path}" + (f"?{urlencode(list(fields))}" if fields else "")
        with broken_connections():
            return self._pool.request(
                method, url, json=body, headers=sent, retries=_TRIES, preload_content=not stream, redirect=False
            )

    def _renewed(self, old: str) -> str:
        """A new token for the client's key, unless another thread has got one meanwhile."""
        if self._key is None:
            raise Unauthenticated("The token is refused.", fix="Get a new one.")
        with self._lock:
            if self._token == old:
                with broken_connections():
                    answer = self._pool.request("POST", f"{self._url}/v1/token", json=self._key, redirect=False)
                if answer.status >= 400:
                    raise error_of(answer.status, answer.data)
                self._token = str(answer.json()["access_token"])
            return self._token


_all: weakref.WeakSet[Http] = weakref.WeakSet()


def _after_fork() -> None:
    for one in list(_all):
        one.after_fork()


os.register_at_fork(after_in_child=_after_fork)


class broken_connections:  # noqa: N801 - a context manager
    """What a connection raises, as Unavailable."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, (urllib3.exceptions.HTTPError, OSError)):
            raise Unavailable(f"The audit service does not answer: {error}.", fix="Try again in a moment.") from error


def error_of(status: int, body: bytes) -> AuditlaneError:
    """A problem (RFC 9457) as the error of its code; one without a code that we know, by its status."""
    try:
        problem = json.loads(body)
        problem = problem if isinstance(problem, dict) else {}
    except ValueError:
        problem = {}
    kind = _BY_CODE.get(str(problem.get("code"))) or _by_status(status)
    message = str(problem.get("detail") or f"The audit service answered {status}.")
    return kind(message, fix=str(problem.get("fix") or ""), field=str(problem.get("field") or ""))


def _by_status(status: int) -> type[AuditlaneError]:
    if status >= 500:
        return Unavailable if status in (502, 503, 504) else AuditlaneError
    return {401: Unauthenticated, 404: NotFound}.get(status, InvalidInput)


def _tree(error: type[AuditlaneError]) -> Iterator[type[AuditlaneError]]:
    yield error
    for child in error.__subclasses__():
        yield from _tree(child)


_BY_CODE: Final = {one.code: one for one in reversed([*_tree(AuditlaneError)])}
