"""Findings about the age and randomness of keys. Pure, except for `gather`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from auditlane.access.credentials_file import CredentialsFile
from auditlane.access.keys import Client, KeysFile
from auditlane.access.provenance_keys import path_of
from auditlane.access.rotation import SigningKeysContent
from auditlane.observe.security.findings import Finding, Gap, Rule, Severity
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import Settings, variable

T = TypeVar("T")
_LISTED: Final = 5  # maximum number of client ids in a finding
# minimum number of distinct characters; 43 random base64url characters almost always have more than 20
_LEAST_SYMBOLS: Final = 16

OLD_CLIENT: Final = Rule(
    "client-key-old",
    Severity.medium,
    "The longer a secret is in use, the more copies of it exist in configurations, logs and backups.",
    "Rotate each with: auditlane keys rotate",
)
OPERATOR_FOREVER: Final = Rule(
    "operator-key-without-expiry",
    Severity.low,
    "A forgotten key of an operator reads every tenant's log for as long as it exists.",
    "Create it with an end of validity (auditlane keys create --expires), and revoke this one.",
)
OLD_SIGNING: Final = Rule(
    "signing-key-old",
    Severity.medium,
    "Anyone with an old copy of the file can sign tokens for every tenant.",
    "Run: auditlane keys rotate-signing",
)
OLD_PROVENANCE: Final = Rule(
    "provenance-key-old",
    Severity.medium,
    "Anyone with an old copy of the file can sign events in any client's name.",
    "Run: auditlane keys rotate-provenance",
)
GUESSABLE: Final = Rule(
    "signing-secret-guessable",
    Severity.critical,
    "Anyone who guesses the secret can sign tokens or events in any name.",
    "Replace the key: auditlane keys rotate-signing, or auditlane keys rotate-provenance.",
)


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The clients, and the contents of the files with signing keys and provenance keys. Each of them is None if
    unavailable.
    """

    clients: tuple[Client, ...] | None
    signing: SigningKeysContent | None
    provenance: SigningKeysContent | None


def judge(facts: KeyFacts, *, now: datetime, settings: Settings) -> Iterator[Finding]:
    """Yield findings about keys that are older than the settings allow, and about secrets that are not random."""
    active = [client for client in facts.clients or () if client.state(now) == "active"]
    days = settings.security_client_key_days
    old = [client.client_id for client in active if now - _newest(client) > timedelta(days=days)]
    if old:
        yield OLD_CLIENT.found(f"{_count(old, 'client key')} older than {days} days: {_names(old)}.")
    forever = [client.client_id for client in active if "admin" in client.roles and client.expires is None]
    if forever:
        yield OPERATOR_FOREVER.found(
            f"{_count(forever, 'operator key')} without an end of validity: {_names(forever)}."
        )
    for content, rule, name, days in (
        (facts.signing, OLD_SIGNING, "signing key", settings.security_signing_key_days),
        (facts.provenance, OLD_PROVENANCE, "provenance key", settings.security_provenance_key_days),
    ):
        current = content.signing(now) if content else None
        if content is None or current is None:
            continue
        if now - current.signs_from > timedelta(days=days):
            age = (now - current.signs_from).days
            yield rule.found(f"The current {name} {current.kid} is {age} days old; the limit is {days} days.")
        for key in content.live(now):
            if len(set(key.secret.get_secret_value())) < _LEAST_SYMBOLS:
                yield GUESSABLE.found(f"The secret of the {name} {key.kid} is not random.")


def _newest(client: Client) -> datetime:
    return max(secret.created for secret in client.secrets)


def _count(found: list[str], what: str) -> str:
    return f"{len(found)} {what}{' is' if len(found) == 1 else 's are'}"


def _names(found: list[str]) -> str:
    return ", ".join(found[:_LISTED]) + (f" and {len(found) - _LISTED} more" if len(found) > _LISTED else "")


def gather(settings: Settings) -> tuple[KeyFacts, list[Gap]]:
    """Read the key files. Returns a Gap for each file that is not configured, missing or invalid."""
    gaps: list[Gap] = []

    def read(field: str, path: Path | None, opened: Callable[[Path], T]) -> T | None:
        if path is None:
            gaps.append(Gap(f"{variable(field)} is not set.", f"Set {variable(field)}."))
            return None
        try:
            return opened(path)
        except ConfigError as error:
            gaps.append(Gap(error.message, error.fix))
            return None

    def content(path: Path) -> SigningKeysContent:
        return CredentialsFile(path, SigningKeysContent).current()

    facts = KeyFacts(
        read("keys_file", settings.keys_file, lambda path: KeysFile(path).clients()),
        read("signing_keys_file", settings.signing_keys_file, content),
        read("provenance_keys_file", path_of(settings), content),
    )
    return facts, gaps
