"""The credential for the gateway: a token, a file or a function that returns one, or a client id and a secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from auditlane.runtime.errors import AuditlaneError, GatewayUnavailable, Unauthenticated
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.http import error_of
from auditlane.sdk.http_transport.answers import Answer

_LARGEST: Final = 64 << 10  # bytes of a token's file
_TOKENS: Final = "/v1/token"
Post = Callable[[str, dict[str, str], bytes], Answer]
"""Sends a request: (path, headers, body)."""


class Credentials:
    """Provides the token, and renews it once the gateway has rejected it. One thread uses it."""

    def __init__(self, config: ClientConfig, post: Post) -> None:
        self._config = config
        self._post = post
        self._token = ""

    @property
    def renewable(self) -> bool:
        """Whether another token may be obtained after a rejection."""
        return callable(self._config.token) or not self._config.token

    def token(self) -> str:
        """Return the token. Raises AuditlaneError if it cannot be obtained now."""
        if not self._token:
            self._token = self._obtained()
        return self._token

    def rejected(self) -> bool:
        """Forget the token, which the gateway has rejected. Returns whether another one may be obtained."""
        self._token = ""
        return self.renewable

    def _obtained(self) -> str:
        config = self._config
        if callable(config.token):
            try:
                token = config.token()
            except AuditlaneError:
                raise
            except Exception as error:
                raise Unauthenticated(
                    f"The function for the gateway's token raised {type(error).__name__}: {error}.",
                    fix="Correct the function that is passed as `token`.",
                ) from error
            return _checked(token, "The function for the gateway's token returned")
        if config.token:
            return config.token
        if config.token_file:
            return _checked(_content(config.token_file), f"The file {config.token_file} contains")
        secret = _content(config.secret_file) if config.secret_file else config.secret
        body = json.dumps({"client_id": config.client_id, "secret": secret}).encode()
        answer = self._post(_TOKENS, {"Content-Type": "application/json"}, body)
        try:
            if answer.status < 300:
                return str(json.loads(answer.body)["access_token"])
        except (ValueError, KeyError, TypeError):
            pass
        if answer.status >= 400:
            raise error_of(answer.status, answer.body)
        raise GatewayUnavailable(
            f"The gateway at {config.url} responded to a request for a token with status {answer.status}, which is not "
            "from a gateway.",
            fix="Correct AUDITLANE_URL: it is the address of `auditlane serve`.",
        )


def _content(path: str) -> str:
    """Return a file's content with surrounding whitespace stripped. Raises Unauthenticated if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return file.read(_LARGEST).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Unauthenticated(
            f"The file {path} with the gateway's credential cannot be read: {reason}.",
            fix="Correct the file. It is then read again, without a restart.",
        ) from error


def _checked(token: object, what: str) -> str:
    """Return a token that can be sent in a header. Raises Unauthenticated, without showing it."""
    if isinstance(token, str) and token and token.isascii() and token.isprintable() and " " not in token:
        return token
    raise Unauthenticated(f"{what} an invalid token.", fix="It must be printable ASCII without spaces.")
