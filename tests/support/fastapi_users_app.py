"""Triggers every fastapi-users event over HTTP, and prints the recorded events as JSON.

fastapi-users pins packages that conflict with auditlane's, so this program runs in a process with its own PYTHONPATH.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from asgi_driver import Call
from fastapi import FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import BaseUserDatabase
from recording import RecordingClient

from auditlane.integrations.fastapi import AuditedUsers, AuditMiddleware

SECRET = "a secret that is long enough to sign tokens"  # pragma: allowlist secret
PASSWORD = "correct horse battery"  # pragma: allowlist secret
client = RecordingClient()


@dataclass
class User:
    email: str
    hashed_password: str
    is_active: bool = True
    is_superuser: bool = False
    is_verified: bool = False
    name: str = ""
    id: uuid.UUID = field(default_factory=uuid.uuid4)


class UserRead(schemas.BaseUser[uuid.UUID]):
    name: str


class UserUpdate(schemas.BaseUserUpdate):
    name: str | None = None


class Memory(BaseUserDatabase[User, uuid.UUID]):
    def __init__(self) -> None:
        self.users: dict[uuid.UUID, User] = {}

    async def get(self, id: uuid.UUID) -> User | None:  # noqa: A002
        return self.users.get(id)

    async def get_by_email(self, email: str) -> User | None:
        return next((user for user in self.users.values() if user.email == email), None)

    async def create(self, create_dict: dict[str, Any]) -> User:
        user = User(**create_dict)
        self.users[user.id] = user
        return user

    async def update(self, user: User, update_dict: dict[str, Any]) -> User:
        for name, value in update_dict.items():
            setattr(user, name, value)
        return user

    async def delete(self, user: User) -> None:
        del self.users[user.id]


class UserManager(AuditedUsers, UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    audit_client = client
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET
    tokens: dict[str, str] = {}  # noqa: RUF012

    async def on_after_forgot_password(self, user: User, token: str, request: Any = None) -> None:
        self.tokens["reset"] = token  # like an application that mails the token and does not call `super()`

    async def on_after_request_verify(self, user: User, token: str, request: Any = None) -> None:
        self.tokens["verify"] = token


memory = Memory()
backend = AuthenticationBackend("jwt", BearerTransport("auth/login"), lambda: JWTStrategy(SECRET, lifetime_seconds=600))
users = FastAPIUsers[User, uuid.UUID](lambda: UserManager(memory), [backend])
app = FastAPI()
app.include_router(users.get_auth_router(backend), prefix="/auth")
app.include_router(users.get_register_router(UserRead, schemas.BaseUserCreate), prefix="/auth")
app.include_router(users.get_reset_password_router(), prefix="/auth")
app.include_router(users.get_verify_router(UserRead), prefix="/auth")
app.include_router(users.get_users_router(UserRead, UserUpdate), prefix="/users")
app.add_middleware(AuditMiddleware, client=client, tenant=lambda _: "acme")


class Body(Call):
    def __init__(self, method: str, path: str, body: bytes, kind: str, token: str) -> None:
        headers = {"content-type": kind, "content-length": str(len(body))}
        if token:
            headers["authorization"] = f"Bearer {token}"
        super().__init__(app, method, path, headers=headers)
        self._body = body

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": self._body, "more_body": False}


async def send(method: str, path: str, values: Any, *, token: str = "", form: bool = False) -> tuple[int, Any]:
    body = urlencode(values).encode() if form else json.dumps(values).encode()
    request = Body(method, path, body, "application/x-www-form-urlencoded" if form else "application/json", token)
    status = await request.run()
    answer = b"".join(one.get("body", b"") for one in request.sent)
    return status, json.loads(answer) if answer else None


async def log_in(password: str, email: str = "jane@acme.example") -> tuple[int, Any]:
    return await send("POST", "/auth/login", {"username": email, "password": password}, form=True)


async def use() -> list[int]:
    account = {"email": "jane@acme.example", "password": PASSWORD}
    steps = [
        send("POST", "/auth/register", account),
        log_in("wrong"),
        log_in("wrong", "nobody@acme.example"),
        send("POST", "/auth/forgot-password", {"email": "jane@acme.example"}),
    ]
    statuses = [(await step)[0] for step in steps]
    reset = {"token": UserManager.tokens["reset"], "password": "a new password"}
    statuses.append((await send("POST", "/auth/reset-password", reset))[0])
    statuses.append((await send("POST", "/auth/request-verify-token", {"email": "jane@acme.example"}))[0])
    statuses.append((await send("POST", "/auth/verify", {"token": UserManager.tokens["verify"]}))[0])
    status, answer = await log_in("a new password")
    token = answer["access_token"]
    statuses.append(status)
    statuses.append((await send("PATCH", "/users/me", {"name": "Jane"}, token=token))[0])
    statuses.append((await send("PATCH", "/users/me", {"password": "another password"}, token=token))[0])
    user = (await memory.get_by_email("jane@acme.example")) or next(iter(memory.users.values()))
    user.is_superuser = True
    statuses.append((await send("PATCH", f"/users/{user.id}", {"is_active": False}, token=token))[0])
    statuses.append((await log_in("another password"))[0])
    user.is_active = True
    statuses.append((await send("DELETE", f"/users/{user.id}", {}, token=token))[0])
    return statuses


if __name__ == "__main__":
    statuses = asyncio.run(use())
    events = [event.model_dump(mode="json") for event in client.events]
    print(json.dumps({"statuses": statuses, "events": events, "errors": [str(one) for one in client.errors]}))
