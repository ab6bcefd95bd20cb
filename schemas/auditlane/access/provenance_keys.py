"""Keys that sign and verify messages' provenance, in a separate file that `serve` and the workers share.

A process that can read this file can forge only provenance, since the keys that sign tokens are elsewhere. A key that
no longer signs is valid for verification until it is retired explicitly, because messages that it signed may be stored
late, or again by a replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from auditlane.access.credentials_file import CredentialsFile
from auditlane.access.rotation import SPREAD, SigningKey, SigningKeysContent, first_key
from auditlane.contract import provenance
from auditlane.contract.provenance import Header, Key, Sign
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import Settings

NAME: Final = "provenance-keys.json"
_PURPOSE: Final = "provenance"


def path_of(settings: Settings) -> Path | None:
    """Return the path of the keys file. If none is configured, it is next to the signing keys. Returns None if neither
    is configured.
    """
    if settings.provenance_keys_file:
        return settings.provenance_keys_file
    return settings.signing_keys_file.with_name(NAME) if settings.signing_keys_file else None


class ProvenanceKeys:
    """Signs and verifies with the keys in a file, which is reloaded when it changes. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises ConfigError if it is missing or invalid."""
        self._file = CredentialsFile(path, SigningKeysContent)
        self._file.current()
        self._signing_key: tuple[SigningKey | None, Key | None] = None, None

    @classmethod
    def load_or_create(cls, path: Path) -> ProvenanceKeys:
        """Open the file, or create it with one new key. Several processes may call this concurrently."""
        if not path.exists():
            CredentialsFile(path, SigningKeysContent).create(first_key(datetime.now(UTC)))
        return cls(path)

    @property
    def problem(self) -> str:
        """Why the current version of the file is not in use, or "" if it is."""
        return self._file.problem

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the keys that are valid for verification, oldest first. They must be the same in all processes
        that use the file.
        """
        return tuple(self.secrets())

    def secrets(self) -> Mapping[str, bytes]:
        """Return the secrets of the keys that are currently valid for verification, by key id."""
        return {key.kid: _secret(key) for key in self._file.current().live(datetime.now(UTC))}

    def signer(self, client_id: str, filled: Iterable[str] = ()) -> Sign:
        """Return a signer for one client's messages with the current key, for use within one request.

        `filled` contains the fields that the gateway filled in. Raises ConfigError if all keys have been retired.
        """
        return _signer(self._signing(), client_id, tuple(filled))

    def lasting_signer(self, client_id: str) -> Sign:
        """Return a signer for one client's messages that may be kept for the lifetime of the process.

        The signer raises the same errors as `signer`.
        """

        def sign(message_key: bytes, value: bytes) -> Header:
            return self.signer(client_id)(message_key, value)

        return sign

    def rotate(self, *, now: datetime, overlap: timedelta | None, spread: timedelta = SPREAD) -> SigningKey:
        """Add a key that signs from `now + spread`. Earlier keys remain valid for verification for another `overlap`,
        or indefinitely if `overlap` is None.
        """
        return self._file.update(lambda content: content.rotated(now, overlap, spread)).keys[-1]

    def _signing(self) -> Key:
        key = self._file.current().signing(datetime.now(UTC))
        if key is None:
            raise ConfigError(
                f"Every key in {self._file.path} has retired.", fix="Add one: auditlane keys rotate-provenance."
            )
        used, found = self._signing_key
        if used is not key:  # compared by identity: comparing and hashing a model takes longer than a signature
            found = Key(key.kid, _secret(key))
            self._signing_key = key, found
        assert found is not None
        return found


@lru_cache(maxsize=64)
def _secret(key: SigningKey) -> bytes:
    return key.derived(_PURPOSE)


_signer = lru_cache(maxsize=1_024)(provenance.signer)  # one signer serves all of a client's messages
