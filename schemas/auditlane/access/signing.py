"""Keys that sign tokens, link codes and cursors. Each purpose has its own derived key, and keys are rotated with an
overlap.

Signatures are HMAC-SHA256 (JWT's HS256): the service both signs and verifies, and cursors need a shared secret anyway.
Since each purpose has its own key, derived from the secret, a cursor or a link code can never pass as a token, whatever
its claims are.

A token's header only names the key for verification, and is not trusted until the token has been verified.
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
from typing import Any, Final, NamedTuple

from auditlane.access.credentials_file import CredentialsFile
from auditlane.access.rotation import SPREAD, SigningKey, SigningKeysContent, first_key
from auditlane.runtime.errors import ConfigError, TokenExpired, Unauthenticated
from auditlane.runtime.lru_cache import LruCache

_MOST_KEPT: Final = 256
_MOST_VERIFIED: Final = 1_024  # of up to 4 KiB each
_LONGEST: Final = 4_096  # maximum length of a token's header in characters


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a token (a JWT): its type, algorithm and key id. Each is None if absent."""

    typ: str | None
    alg: str | None
    kid: str | None


def header_of(token: str) -> Header:
    """Parse a token's header without verifying the token. Raises Unauthenticated if there is no valid header."""
    segment, dot, _ = token.partition(".")
    if not dot or len(segment) > _LONGEST:
        raise Unauthenticated("The credential is not a token.", fix="Get a token: POST /v1/token.")
    return _parsed(segment)


@lru_cache(_MOST_KEPT)
def _parsed(segment: str) -> Header:
    """Parse a header. Cached, since all tokens signed by one key for one purpose have the same header."""
    try:
        header = json.loads(
            base64.b64decode(segment.encode("ascii") + b"=" * (-len(segment) % 4), b"-_", validate=True)
        )
        found = Header(header.get("typ"), header.get("alg"), header.get("kid"))
        if not all(isinstance(name, str | None) for name in (found.typ, found.alg, found.kid)):
            raise TypeError("not a text")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unauthenticated("The credential is not a token.", fix="Get a token: POST /v1/token.") from error
    return found


class _Verified(NamedTuple):
    key: SigningKey
    claims: dict[str, Any]
    end: int  # when it expires, in seconds since 1970


ALGORITHM: Final = "HS256"
ISSUER: Final = "auditlane"


class SigningKeys:
    """Signs and verifies with the keys in a file that all replicas must share. The file is reloaded when it changes."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises ConfigError if it is missing or invalid."""
        self._file = CredentialsFile(path, SigningKeysContent)
        self._file.current()
        # Tokens with a valid signature. A client sends the same token with every request.
        self._verified: LruCache[tuple[str, str], _Verified] = LruCache(_MOST_VERIFIED)

    @classmethod
    def load_or_create(cls, path: Path) -> SigningKeys:
        """Open the file, or create it with one new key. Several processes may call this concurrently."""
        if not path.exists():
            CredentialsFile(path, SigningKeysContent).create(first_key(datetime.now(UTC)))
        return cls(path)

    @property
    def problem(self) -> str:
        """Why the current version of the file is not in use, or "" if it is."""
        self._file.current()  # notices a change
        return self._file.problem

    @property
    def modified_at(self) -> float:
        """When the version in use was written, in seconds since 1970."""
        return self._file.modified_at

    def rotate(self, *, now: datetime, overlap: timedelta, spread: timedelta = SPREAD) -> SigningKey:
        """Add a key that signs from `now + spread`. Earlier keys stay valid for verification for `overlap` after that.

        `overlap` must cover the longest token lifetime. Otherwise, such tokens become invalid early.
        """
        return self._file.update(lambda content: content.rotated(now, overlap, spread)).keys[-1]

    def sign(self, purpose: str, claims: Mapping[str, Any], *, now: datetime, ttl: timedelta) -> str:
        """Sign the claims as a JWT for one purpose, which expires after `ttl`."""
        import jwt  # imported here: with cryptography, it takes a fifth of the start-up time of `auditlane up`

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
        """Verify a token signed by `sign` for this purpose, and return its claims.

        Raises TokenExpired if the token has expired, and Unauthenticated for any other problem, such as another purpose
        or algorithm, an unknown or retired key, or a changed byte.
        """
        kid = header_of(token).kid
        key = next((live for live in self._file.current().live(now) if live.kid == kid), None)
        known = self._verified.get((purpose, token))
        if known is None or known.key is not key:  # a changed file has new keys
            known = self._verified_first(purpose, token, key)
            if len(token) <= _LONGEST:
                self._verified.put((purpose, token), known)
        if now.timestamp() >= known.end:
            raise TokenExpired("The token has expired.", fix="Get a new token.")
        return dict(known.claims)

    def _verified_first(self, purpose: str, token: str, key: SigningKey | None) -> _Verified:
        import jwt

        if key is None:
            raise Unauthenticated("The token's signing key is no longer in use.", fix="Get a new token.")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.derived(purpose),
                algorithms=[ALGORITHM],
                audience=purpose,
                issuer=ISSUER,
                # Expiry is checked below, by the caller's clock.
                options={"require": ["exp", "jti"], "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            end = int(claims["exp"])
        except (jwt.InvalidTokenError, ValueError, TypeError, UnicodeError) as error:
            raise Unauthenticated("The token is not valid.", fix="Get a new token.") from error
        return _Verified(key, claims, end)

    def mac(self, purpose: str, data: bytes) -> bytes:
        """Return a 32-byte MAC of `data` for this purpose, to be compared with `hmac.compare_digest`.

        It uses the oldest live key, since all replicas have that key while a new one is being distributed.
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
