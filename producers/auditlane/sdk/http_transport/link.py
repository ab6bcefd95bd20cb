"""The connection to the gateway."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

import urllib3
import urllib3.exceptions

from auditlane.runtime.errors import GatewayUnavailable
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.http_transport.answers import Answer
from auditlane.sdk.http_transport.credentials import Credentials
from auditlane.sdk.logs import quiet

_PATH: Final = "/v1/events"
_TIMEOUT: Final = urllib3.Timeout(connect=10.0, read=30.0)
_MOST_BYTES: Final = 4 << 20  # of a response; that of a full request has 0.2 MiB
_GZIP: Final = 16 + zlib.MAX_WBITS
_LEAST_COMPRESSED: Final = 1_024  # bytes


class Link:
    """Sends requests to one gateway. One thread uses it."""

    def __init__(self, config: ClientConfig) -> None:
        self._url = config.url
        headers = {"User-Agent": "auditlane"}
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT, ca_certs=config.url_ca or None, maxsize=1, headers=headers)
        self.credentials = Credentials(config, self._post)
        self.compresses = True

    def send(self, body: bytes) -> tuple[Answer, bool]:
        """Send lines of events. Return the response, and whether the request was compressed.

        Raises GatewayUnavailable if there is no response, and AuditlaneError if there is no token.
        """
        headers = {"Authorization": f"Bearer {self.credentials.token()}", "Content-Type": "application/x-ndjson"}
        compressed = self.compresses and len(body) >= _LEAST_COMPRESSED
        if compressed:
            packer = zlib.compressobj(1, wbits=_GZIP)
            body = packer.compress(body) + packer.flush()
            headers["Content-Encoding"] = "gzip"
        return self._post(_PATH, headers, body), compressed

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _post(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request. A redirect is returned, never followed. Raises GatewayUnavailable."""
        try:
            with quiet():
                response = self._pool.request(
                    "POST",
                    self._url + path,
                    body=body,
                    headers={**self._pool.headers, **headers, "Accept": "application/json"},
                    redirect=False,
                    retries=False,
                    preload_content=False,
                )
                data = response.read(_MOST_BYTES + 1)
                if len(data) > _MOST_BYTES:  # not a response of the gateway
                    data = b""
                    response.close()
                else:
                    response.release_conn()
                names = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, names, data)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise GatewayUnavailable(
                f"The gateway at {self._url} is not reachable: {_reason(error)}.",
                fix="Start it, or correct AUDITLANE_URL.",
            ) from error


def _reason(error: BaseException) -> str:
    """Return the error's message without the connection repr that urllib3 puts in front of it."""
    text = str(error)
    _, found, rest = text.partition(">: ")
    return (rest if found else text).rstrip(".") or type(error).__name__
