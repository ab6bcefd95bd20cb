"""The keys that sign tokens, link codes and cursors, each purpose with a key of its own; rotated with overlap.

Signatures are HMAC-SHA256 (JWT's HS256): whoever verifies is also allowed to sign, since both are this service, and
cursors need a shared secret anyway. Each purpose signs with a key derived for it from the secret, so that a cursor or a
link code can never pass as a token, whatever its claims say.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import jwt
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, field_serializer, model_validator

from auditlane.access.credentials_file import CredentialsFile
from auditlane.access.jwt_header import header_of
from auditlane.runtime.errors import ConfigError, TokenExpired, Unauthenticated

ALGORITHM: Final = "HS256"
ISSUER: Final = "auditlane"
# A replica that has not seen a new key yet refuses what it signs: a mounted secret takes a minute or two to arrive.
SPREAD: Final = timedelta(minutes=5)


class SigningKey(BaseModel):
    """One secret. It signs from `signs_from` until a newer one does, and verifies until `retires`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kid: str = Field(min_length=1, max_length=64)
    secret: SecretStr = Field(min_length=43)  # 256 bits in base64url
    signs_from: AwareDatetime
    retires: AwareDatetime | None = None

    @field_serializer("secret", when_used="json")
    def _reveal(self, secret: SecretStr) -> str:
        return secret.get_secret_value()

    def derived(self, purpose: str) -> bytes:
        """The key for one purpose: HKDF-Expand of RFC 5869 with one block, the purpose as its info."""
        secret = self.secret.get_secret_value().encode()
        return hmac.digest(secret, b"auditlane/" + purpose.encode() + b"\x01", hashlib.sha256)


class SigningKeysContent(BaseModel):
    """What the file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    keys: tuple[SigningKey, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> SigningKeysContent:
        if len({key.kid for key in self.keys}) < len(self.keys):
            raise ValueError("two keys have the same kid")
        return self

    def live(self, now: datetime) -> list[SigningKey]:
        """The keys that verify at `now`, oldest first."""
        alive = [key for key in self.keys if key.retires is None or now < key.retires]
        return sorted(alive, key=lambda key: key.signs_from)

    def signing(self, now: datetime) -> SigningKey | None:
        """The key that signs at `now`; None when every key has retired."""
        live = self.live(now)
        return next((key for key in reversed(live) if key.signs_from <= now), live[0] if live else None)

    def rotated(self, now: datetime, overlap: timedelta | None, spread: timedelta) -> SigningKeysContent:
        """With a new key that signs after `spread`; earlier ones retire `overlap` later, never with None."""
        new = _new_key(now + spread)
        if overlap is None:
            return SigningKeysContent(keys=(*self.live(now), new))
        end = new.signs_from + overlap
        kept = [
            key if key.retires and key.retires < end else key.model_copy(update={"retires": end})
            for key in self.live(now)
        ]
        return SigningKeysContent(keys=(*kept, new))


def first_key(now: datetime) -> SigningKeysContent:
    """What a new file holds."""
    return SigningKeysContent(keys=(_new_key(now),))


def _new_key(signs_from: datetime) -> SigningKey:
    kid = signs_from.strftime("%Y%m%d-") + secrets.token_hex(4)
    return SigningKey(kid=kid, secret=SecretStr(secrets.token_urlsafe(32)), signs_from=signs_from)


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
