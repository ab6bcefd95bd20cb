"""The keys file. It contains the clients, the hashes of their secrets, and their permissions."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from auditlane.access.credentials_file import CredentialsFile
from auditlane.access.permissions import ROLES, Permission, permissions_of
from auditlane.contract.provenance import is_ours
from auditlane.runtime.errors import Conflict, InvalidInput, NotFound, Unauthenticated

_ALGORITHM: Final = "sha256"
_SECRET: Final = re.compile(r"als_[A-Za-z0-9_-]{43}")  # the form that `_new_secret` generates
_NO_HASH: Final = f"{_ALGORITHM}:{'0' * 64}"  # no known secret has this hash
_CLIENT_ID: Final = re.compile(r"[!-9;-~]{1,128}")


class Secret(BaseModel):
    """The hash of one of a client's secrets. During a rotation a client has two.

    A slow hash protects secrets that can be guessed. These secrets are 256 random bits and are never chosen by hand, so
    SHA-256 is just as safe, and wrong secrets cannot be used to overload the service.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hash: str = Field(pattern=rf"^{_ALGORITHM}:[0-9a-f]{{64}}$")
    created: AwareDatetime
    expires: AwareDatetime | None = None


class Client(BaseModel):
    """An API client: the vendor's service, or one tenant's.

    If `tenant` is None, the client may act for every tenant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: str
    name: str = ""
    roles: tuple[str, ...] = Field(min_length=1)
    extra_permissions: tuple[Permission, ...] = ()  # in addition to the roles' permissions
    tenant: str | None = None
    created: AwareDatetime
    expires: AwareDatetime | None = None
    revoked: AwareDatetime | None = None
    secrets: tuple[Secret, ...] = Field(min_length=1)

    @field_validator("client_id")
    @classmethod
    def _usable(cls, client_id: str) -> str:
        if not _CLIENT_ID.fullmatch(client_id):  # basic authentication ends the id at the first colon
            raise ValueError("must be 1 to 128 visible ASCII characters other than ':'")
        if is_ours(client_id):
            raise ValueError(f"{client_id!r} is reserved for auditlane's own events")
        return client_id

    @field_validator("roles")
    @classmethod
    def _known_roles(cls, roles: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [role for role in roles if role not in ROLES]
        if unknown:
            raise ValueError(f"unknown role {unknown[0]!r}; use some of: {', '.join(ROLES)}")
        return roles

    @field_validator("tenant")
    @classmethod
    def _not_empty(cls, tenant: str | None) -> str | None:
        if tenant == "":  # could be mistaken for "every tenant"
            raise ValueError("must not be empty; omit it for a client of every tenant")
        return tenant

    @property
    def permissions(self) -> frozenset[Permission]:
        """The permissions of the client's roles, and those granted to this key itself."""
        return permissions_of(self.roles, bound=self.tenant is not None) | frozenset(self.extra_permissions)

    def state(self, now: datetime) -> Literal["active", "expired", "revoked"]:
        """Return the client's state at `now`. Only an active client is accepted."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires and self.expires <= now else "active"


class KeysContent(BaseModel):
    """The content of the keys file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    clients: tuple[Client, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> KeysContent:
        counts = Counter(client.client_id for client in self.clients)
        duplicates = {client_id for client_id, count in counts.items() if count > 1}
        if duplicates:
            raise ValueError(f"two clients have the client_id {min(duplicates)!r}")
        return self

    @cached_property
    def _by_id(self) -> dict[str, Client]:
        return {client.client_id: client for client in self.clients}

    def find(self, client_id: str) -> Client | None:
        return self._by_id.get(client_id)

    def with_client(self, changed: Client) -> KeysContent:
        """Return the content with this client added, replacing its earlier version if there is one."""
        return KeysContent(
            clients=tuple(changed if client.client_id == changed.client_id else client for client in self.clients)
        )


@dataclass(frozen=True, slots=True)
class Issued:
    """A client with its new secret. The secret is available only here, since the keys file contains only its hash."""

    client: Client
    secret: str


class KeysFile:
    """The clients in a keys file. The file is reloaded when it changes."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises ConfigError if it is missing or invalid."""
        self._file = CredentialsFile(path, KeysContent)
        self._file.current()

    @classmethod
    def load_or_create(cls, path: Path) -> KeysFile:
        """Open the file, or create an empty one. Safe to call from several processes at once."""
        if not path.exists():
            CredentialsFile(path, KeysContent).create(KeysContent())
        return cls(path)

    @property
    def problem(self) -> str:
        """The reason why the file's current version is not in use, or "" if it is."""
        self._file.current()  # notices a change
        return self._file.problem

    @property
    def modified_at(self) -> float:
        """The time at which the version in use was written, in seconds since 1970."""
        return self._file.modified_at

    def clients(self) -> tuple[Client, ...]:
        """Return all clients, including revoked and expired ones."""
        return self._file.current().clients

    def find(self, client_id: str) -> Client | None:
        """Return the client with this id, in any state, or None if there is none."""
        return self._file.current().find(client_id)

    def verify(self, client_id: str, secret: str, *, now: datetime) -> Client:
        """Return the active client with this id and secret. Raises Unauthenticated if there is none.

        A malformed secret is not hashed. A well-formed secret is hashed once and compared at least twice, whether the
        id is unknown or has one or two secrets, so the response time reveals nothing.
        """
        client = self.find(client_id)
        hashes = [known.hash for known in client.secrets if not known.expires or now < known.expires] if client else []
        if not _matches(hashes, secret) or client is None:
            raise Unauthenticated(
                "The client id or the secret is wrong.", fix="Check both, or create a new key: auditlane keys create."
            )
        state = client.state(now)
        if state != "active":
            raise Unauthenticated(f"The key {client_id} is {state}.", fix="Create a new key: auditlane keys create.")
        return client

    def create(
        self,
        *,
        roles: tuple[str, ...],
        now: datetime,
        extra_permissions: tuple[Permission, ...] = (),
        tenant: str | None = None,
        name: str = "",
        expires: datetime | None = None,
        client_id: str = "",
        on_issued: Callable[[Issued], None] = lambda issued: None,
    ) -> Issued:
        """Add a client. Raises InvalidInput, which names the invalid field, or Conflict if the client id is taken.

        `on_issued` receives the secret before the file is written. If it raises, the file is left unchanged.
        """
        secret = _new_secret()
        client_id = client_id or f"al_{secrets.token_hex(10)}"
        try:
            client = Client(
                client_id=client_id,
                name=name,
                roles=roles,
                extra_permissions=extra_permissions,
                tenant=tenant,
                created=now,
                expires=expires,
                secrets=(Secret(hash=_hash(secret), created=now),),
            )
        except ValidationError as error:
            raise _invalid(error) from error

        def added(content: KeysContent) -> KeysContent:
            if content.find(client_id):
                raise Conflict(f"The key {client_id} already exists.", fix="Choose another client id.")
            changed = KeysContent(clients=(*content.clients, client))
            on_issued(issued)
            return changed

        issued = Issued(client, secret)
        self._file.update(added)
        return issued

    def rotate(
        self,
        client_id: str,
        *,
        now: datetime,
        overlap: timedelta,
        on_issued: Callable[[Issued], None] = lambda issued: None,
    ) -> Issued:
        """Give a client a new secret. Earlier secrets stay valid for `overlap`.

        `on_issued` receives the secret before the file is written. If it raises, the file is left unchanged. Raises
        NotFound if there is no such client, or Conflict if it is revoked.
        """
        secret = _new_secret()
        fresh = Secret(hash=_hash(secret), created=now)

        def rotated(content: KeysContent) -> KeysContent:
            client = _existing(content, client_id)
            if client.revoked:
                raise Conflict(f"The key {client_id} is revoked.", fix="Create a new key: auditlane keys create.")
            end = now + overlap
            kept = [
                known if known.expires and known.expires < end else known.model_copy(update={"expires": end})
                for known in client.secrets
                if not known.expires or now < known.expires
            ]
            changed = client.model_copy(update={"secrets": (*kept, fresh)})
            on_issued(Issued(changed, secret))
            return content.with_client(changed)

        return Issued(_existing(self._file.update(rotated), client_id), secret)

    def revoke(self, client_id: str, *, now: datetime) -> Client:
        """Revoke a client, together with all tokens and links that were issued to it or minted by it.

        Idempotent. Raises NotFound if there is no such client.
        """

        def revoked(content: KeysContent) -> KeysContent:
            client = _existing(content, client_id)
            return content if client.revoked else content.with_client(client.model_copy(update={"revoked": now}))

        return _existing(self._file.update(revoked), client_id)


def _existing(content: KeysContent, client_id: str) -> Client:
    client = content.find(client_id)
    if client is None:
        raise NotFound(f"There is no key {client_id}.", fix="List the keys: auditlane keys list.")
    return client


def _new_secret() -> str:
    return "als_" + secrets.token_urlsafe(32)  # scanners for leaked secrets recognise the prefix


def _hash(secret: str) -> str:
    return f"{_ALGORITHM}:{hashlib.sha256(secret.encode()).hexdigest()}"


def _matches(hashes: list[str], secret: str) -> bool:
    if not _SECRET.fullmatch(secret):
        return False
    presented = _hash(secret)
    expected = hashes + [_NO_HASH] * (2 - len(hashes))
    return any([hmac.compare_digest(presented, known) for known in expected])  # noqa: C419 - compares every one


def _invalid(error: ValidationError) -> InvalidInput:
    problem = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(map(str, problem["loc"]))
    return InvalidInput(f"{field}: {problem['msg'].removeprefix('Value error, ')}", field=field)
