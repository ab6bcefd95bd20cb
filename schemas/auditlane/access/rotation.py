"""Rotates the secrets of token keys and provenance keys, with an overlap. All functions are pure.

No token library is imported, since workers do not need one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, field_serializer, model_validator

# Time until a new key signs: replicas without it reject its signatures, and a mounted secret takes a minute or two to
# arrive.
SPREAD: Final = timedelta(minutes=5)


class SigningKey(BaseModel):
    """One secret. It signs from `signs_from` until a newer key takes over, and is valid for verification until
    `retires`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kid: str = Field(min_length=1, max_length=64)
    secret: SecretStr = Field(min_length=43)  # 256 bits in base64url
    signs_from: AwareDatetime
    retires: AwareDatetime | None = None

    @field_serializer("secret", when_used="json")
    def _reveal(self, secret: SecretStr) -> str:
        return secret.get_secret_value()

    def derived(self, purpose: str) -> bytes:
        """Derive the key for one purpose, using HKDF-Expand (RFC 5869) with one block and the purpose as `info`."""
        secret = self.secret.get_secret_value().encode()
        return hmac.digest(secret, b"auditlane/" + purpose.encode() + b"\x01", hashlib.sha256)


class SigningKeysContent(BaseModel):
    """The content of a signing-keys file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    keys: tuple[SigningKey, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> SigningKeysContent:
        if len({key.kid for key in self.keys}) < len(self.keys):
            raise ValueError("two keys have the same kid")
        return self

    def live(self, now: datetime) -> list[SigningKey]:
        """Return the keys that are valid for verification at `now`, oldest first."""
        alive = [key for key in self.keys if key.retires is None or now < key.retires]
        return sorted(alive, key=lambda key: key.signs_from)

    def signing(self, now: datetime) -> SigningKey | None:
        """Return the key that signs at `now`, or None if all keys have been retired."""
        live = self.live(now)
        return next((key for key in reversed(live) if key.signs_from <= now), live[0] if live else None)

    def rotated(self, now: datetime, overlap: timedelta | None, spread: timedelta) -> SigningKeysContent:
        """Add a key that signs after `spread`. Earlier keys retire `overlap` later, or never if `overlap` is None."""
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
    """Return the content of a new file, with one key."""
    return SigningKeysContent(keys=(_new_key(now),))


def _new_key(signs_from: datetime) -> SigningKey:
    kid = signs_from.strftime("%Y%m%d-") + secrets.token_hex(4)
    return SigningKey(kid=kid, secret=SecretStr(secrets.token_urlsafe(32)), signs_from=signs_from)
