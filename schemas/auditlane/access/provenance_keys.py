"""The keys that sign and verify who vouches for a message: a file of their own, which `serve` and the workers share.

They are kept apart from the keys that sign tokens, so that whoever can read them can forge provenance and nothing else.
A key that no longer signs goes on verifying until it is retired on purpose: what it signed may be stored late, or again
by a replay.
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
    """Where the keys are: as the settings say, else beside the signing keys; None where neither is set."""
    if settings.provenance_keys_file:
        return settings.provenance_keys_file
    return settings.signing_keys_file.with_name(NAME) if settings.signing_keys_file else None


class ProvenanceKeys:
    """Signs and verifies with the keys in a file; read again when it changes. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError when the file is missing or not valid."""
        self._file = CredentialsFile(path, SigningKeysContent)
        self._file.current()

    @classmethod
    def load_or_create(cls, path: Path) -> ProvenanceKeys:
        """Open the file, or make it with one new key. Several processes may call this at once."""
        if not path.exists():
            CredentialsFile(path, SigningKeysContent).create(first_key(datetime.now(UTC)))
        return cls(path)

    @property
    def problem(self) -> str:
        """Why the file's present version is not in use; empty when it is."""
        return self._file.problem

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Of the keys that verify now, oldest first: what must be the same wherever the file is used."""
        return tuple(self.secrets())

    def secrets(self) -> Mapping[str, bytes]:
        """Key id -> secret, of every key that verifies now."""
        return {key.kid: _secret(key) for key in self._file.current().live(datetime.now(UTC))}

    def signer(self, client_id: str, filled: Iterable[str] = ()) -> Sign:
        """Signs messages of one client with the key of this moment, for as long as a request takes.

        `filled` are the fields that the gateway filled in. Raises ConfigError when every key has retired.
        """
        return _signer(self._signing(), client_id, tuple(filled))

    def lasting_signer(self, client_id: str) -> Sign:
        """Signs messages of one client for as long as a process lives. What it returns raises as `signer`."""

        def sign(message_key: bytes, value: bytes) -> Header:
            return self.signer(client_id)(message_key, value)

        return sign

    def rotate(self, *, now: datetime, overlap: timedelta | None, spread: timedelta = SPREAD) -> SigningKey:
        """Add a key that signs from `now + spread`. The others verify for `overlap` after that, for ever with None."""
        return self._file.update(lambda content: content.rotated(now, overlap, spread)).keys[-1]

    def _signing(self) -> Key:
        key = self._file.current().signing(datetime.now(UTC))
        if key is None:
            raise ConfigError(
                f"Every key in {self._file.path} has retired.", fix="Add one: auditlane keys rotate-provenance."
            )
        return Key(key.kid, _secret(key))


@lru_cache(maxsize=64)
def _secret(key: SigningKey) -> bytes:
    return key.derived(_PURPOSE)


_signer = lru_cache(maxsize=1_024)(provenance.signer)  # the same for all of a client's messages
