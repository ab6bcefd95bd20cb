"""Sends requests to `auditlane serve`. The client authenticates, renews tokens, and raises the service's problems as
errors.
"""

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
_RETRIES: Final = urllib3.Retry(
    total=4, backoff_factor=0.3, status_forcelist=(502, 503, 504), allowed_methods=("GET",), raise_on_status=False
)
Pairs = Sequence[tuple[str, str]]


class Http:
    """Sends requests to one service with one credential, optionally for one tenant. Thread-safe."""

    def __init__(
        self, url: str, *, token: str, client_id: str, secret: str, tenant: str, timeout_s: float, ca: str
    ) -> None:
        """Store the options without sending anything. Raises ConfigError if the URL is invalid or the credential is
        missing.
        """
        try:
            self._url = validators.http_url(url.strip()).rstrip("/")
        except ValueError as error:
            raise ConfigError(f"The service's URL is not valid: {error}.", field="url") from error
        if not token and not (client_id and secret):
            raise ConfigError("The credential is missing.", fix="Pass token, or client_id and secret.")
        self._token = token
        self._key = {"client_id": client_id, "secret": secret} if client_id and secret else None
        self._tenant = tenant
        self._timeout_s = timeout_s
        self._ca = ca
        self.after_fork()
        _instances.add(self)

    def after_fork(self) -> None:
        """Create a new lock and new connections, since a forked child must not share its parent's."""
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(timeout=self._timeout_s, ca_certs=self._ca or None, maxsize=4)

    def json(self, method: str, path: str, *, fields: Pairs = (), body: Any = None) -> Any:
        """Send a request, and return the response's JSON, or None if it has no body. Raises the service's errors, and
        Unavailable if it does not respond.
        """
        response = self.send(method, path, fields=fields, body=body)
        return json.loads(response.data) if response.data else None

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
        """Send a request, and return the successful response. An expired token is renewed. With `stream`, the body is
        not read yet.

        Raises the service's errors, and Unavailable if it does not respond.
        """
        token = self._token or self._renewed_token("")
        response = self._send_once(method, path, token, fields, body, headers, stream=stream)
        if response.status == 401 and self._key:
            response.drain_conn()
            token = self._renewed_token(token)
            response = self._send_once(method, path, token, fields, body, headers, stream=stream)
        if response.status >= 400:
            with unavailable_if_broken():
                raise error_of(response.status, response.data)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _send_once(
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
        with unavailable_if_broken():
            return self._pool.request(
                method, url, json=body, headers=sent, retries=_RETRIES, preload_content=not stream, redirect=False
            )

    def _renewed_token(self, old: str) -> str:
        """Fetch a new token with the client's key, unless another thread has already replaced `old`."""
        if self._key is None:
            raise Unauthenticated("The service rejected the token.", fix="Get a new token.")
        with self._lock:
            if self._token == old:
                with unavailable_if_broken():
                    response = self._pool.request("POST", f"{self._url}/v1/token", json=self._key, redirect=False)
                if response.status >= 400:
                    raise error_of(response.status, response.data)
                self._token = str(response.json()["access_token"])
            return self._token


_instances: weakref.WeakSet[Http] = weakref.WeakSet()


def _after_fork() -> None:
    for http in list(_instances):
        http.after_fork()


os.register_at_fork(after_in_child=_after_fork)


class unavailable_if_broken:  # noqa: N801 - a context manager
    """Raises connection errors as Unavailable."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, (urllib3.exceptions.HTTPError, OSError)):
            raise Unavailable(
                f"The audit service does not respond: {error}.", fix="Try again, or check the URL and the network."
            ) from error


def error_of(status: int, body: bytes) -> AuditlaneError:
    """Return the error for a response's problem (RFC 9457), chosen by the problem's code, or by `status` for an unknown
    code.
    """
    try:
        problem = json.loads(body)
        problem = problem if isinstance(problem, dict) else {}
    except ValueError:
        problem = {}
    kind = _BY_CODE.get(str(problem.get("code"))) or _by_status(status)
    message = str(problem.get("detail") or f"The audit service responded with status {status}.")
    return kind(message, fix=str(problem.get("fix") or ""), field=str(problem.get("field") or ""))


def _by_status(status: int) -> type[AuditlaneError]:
    if status >= 500:
        return Unavailable if status in (502, 503, 504) else AuditlaneError
    return {401: Unauthenticated, 404: NotFound}.get(status, InvalidInput)


def _tree(error: type[AuditlaneError]) -> Iterator[type[AuditlaneError]]:
    yield error
    for child in error.__subclasses__():
        yield from _tree(child)


_BY_CODE: Final = {error.code: error for error in reversed([*_tree(AuditlaneError)])}
