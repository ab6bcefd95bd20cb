"""The keys that sign tokens, link codes and cursors, each purpose with a key of its own; rotated with overlap.

Signatures are HMAC-SHA256 (JWT's HS256): whoever verifies is also allowed to sign, since both are this service, and
cursors need a shared secret anyway. Each purpose signs with a key derived for it from the secret, so that a cursor or a
link code can never pass as a token, whatever its claims say.

A token's header is a hint which key to verify the token with, and not to be trusted before that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import jwt

from auditlane.access.credentials_file import CredentialsFile
from auditlane.access.rotation import SPREAD, SigningKey, SigningKeysContent, first_key
from auditlane.runtime.errors import ConfigError, TokenExpired, Unauthenticated

_MOST_KEPT: Final = 256
_LONGEST: Final = 4_096  # characters


@dataclass(frozen=True, slots=True)
class Header:
    """Of a token (JWT): what it is for, the algorithm, the key's id; None where it does not say."""

    typ: str | None
    alg: str | None
    kid: str | None


def header_of(token: str) -> Header:
    """The header alone: the token is parsed when it is verified. Raises Unauthenticated for what has none."""
    segment, dot, _ = token.partition(".")
    if not dot or len(segment) > _LONGEST:
        raise Unauthenticated("The credential is not a token.", fix="Get a token: POST /v1/token.")
    return _parsed(segment)


@lru_cache(_MOST_KEPT)
def _parsed(segment: str) -> Header:
    """All tokens that one key signs for one purpose begin with the same segment."""
    try:
        header = json.loads(
            base64.b64decode(segment.encode("ascii") + b"=" * (-len(segment) % 4), b"-_", validate=True)
        )
        found = Header(header.get("typ"), header.get("alg"), header.get("kid"))
        if not all(isinstance(one, str | None) for one in (found.typ, found.alg, found.kid)):
            raise TypeError("a name that is no text")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unauthenticated("The credential is not a token.", fix="Get a token: POST /v1/token.") from error
    return found


ALGORITHM: Final = "HS256"
ISSUER: Final = "auditlane"


class SigningKeys:
    """Signs and verifies with the keys in a file, which every replica must share; read again when it changes."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError when the file is missing or not valid."""
        self._file = CredentialsFile(path, SigningKeysContent)
        self._file.current()

    @classmethod
    def load_or_create(cls, path: Path) -> SigningKeys:
        """Open the file, or make it with one new key. Several processes may call this at once."""
        if not path.exists():
            CredentialsFile(path, SigningKeysContent).create(first_key(datetime.now(UTC)))
        return cls(path)

    @property
    def problem(self) -> str:
        """Why the file's present version is not in use; empty when it is."""
        return self._file.problem

    def rotate(self, *, now: datetime, overlap: timedelta, spread: timedelta = SPREAD) -> SigningKey:
        """Add a key that signs from `now + spread`; the others go on verifying for `overlap` after that.

        `overlap` is at least the life of the longest-lived token, or those tokens end early.
        """
        return self._file.update(lambda content: content.rotated(now, overlap, spread)).keys[-1]

    def sign(self, purpose: str, claims: Mapping[str, Any], *, now: datetime, ttl: timedelta) -> str:
        """A JWT of the claims for one purpose that ends after `ttl`."""
        key = self._signing(now)
        payload = dict(claims) | {
            "iss": ISSUER,
            "aud": purpose,
            "iat": int(now.timestamp()),
            "exp": int((now + ttl).timestamp()),
            "jti": secrets.token_urlsafe(12),
        }
        return jwt.encode(payload, key.derived(purpose), ALGORITHM, headers={"kid": key.kid, "typ": purpose})

    def verify(self, purpose: str, token: str, *, now: datetime) -> dict[str, Any]:
        """The claims of a token that `sign` made for this purpose.

        Raises TokenExpired after its end, and Unauthenticated for everything else: another purpose, another algorithm,
        an unknown or retired key, a changed byte.
        """
        kid = header_of(token).kid
        try:
            key = next((one for one in self._file.current().live(now) if one.kid == kid), None)
            if key is None:
                raise Unauthenticated("The token was signed with a key that is not in use.", fix="Get a new token.")
            claims: dict[str, Any] = jwt.decode(
                token,
                key.derived(purpose),
                algorithms=[ALGORITHM],
                audience=purpose,
                issuer=ISSUER,
                # The time is the caller's, compared below.
                options={"require": ["exp", "jti"], "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            end = int(claims["exp"])
        except (jwt.InvalidTokenError, ValueError, TypeError, UnicodeError) as error:
            raise Unauthenticated("The token does not verify.", fix="Get a new token.") from error
        if now.timestamp() >= end:
            raise TokenExpired("The token has expired.", fix="Get a new token.")
        return claims

    def mac(self, purpose: str, data: bytes) -> bytes:
        """32 bytes that prove `data` came from us, for this purpose; the caller compares with `hmac.compare_digest`.

        Made with the oldest live key, on which all replicas agree while a new one is spreading.
        """
        oldest = self._file.current().live(datetime.now(UTC))[:1] or self._file.current().keys[-1:]
        return hmac.digest(oldest[0].derived(f"mac/{purpose}"), data, hashlib.sha256)

    def _signing(self, now: datetime) -> SigningKey:
        key = self._file.current().signing(now)
        if key is None:
            raise ConfigError(
                f"Every key in {self._file.path} has retired.", fix="Add one: auditlane keys rotate-signing."
            )
        return key
