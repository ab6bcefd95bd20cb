"""A small document service with an audit log for each of its tenants."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from auditlane.integrations.fastapi import Actor, AuditMiddleware, AuditRoute
from auditlane.sdk import audit
from auditlane.sdk.context import current


@dataclass(frozen=True)
class User:
    id: str
    tenant: str
    password: str
    may_delete: bool


USERS = {
    "jane@acme.example": User("u-1", "acme", "jane's password", may_delete=True),
    "sam@acme.example": User("u-2", "acme", "sam's password", may_delete=False),
    "kim@globex.example": User("u-3", "globex", "kim's password", may_delete=True),
}
sessions: dict[str, User] = {}
documents: dict[tuple[str, str], str] = {}  # text by tenant and name

app = FastAPI(title="Documents")


def signed_in(request: Request) -> User:
    user = sessions.get(request.headers.get("authorization", "").removeprefix("Bearer "))
    if user is None:
        raise HTTPException(401)
    request.state.user = user
    return user


SignedIn = Annotated[User, Depends(signed_in)]


def tenant_of(request: Request) -> str | None:
    """Return the tenant. Called when an event is built, so the dependency above has already run."""
    user = getattr(request.state, "user", None)
    return user and user.tenant


def actor_of(request: Request) -> Actor | None:
    user = getattr(request.state, "user", None)
    return user and Actor(user.id)


app.add_middleware(
    AuditMiddleware,
    routes={
        "PUT /documents/{name}": "document.saved",
        "DELETE /documents/{name}": AuditRoute(action="document.deleted", severity="Medium"),
        "GET /export": AuditRoute(action="data.exported", resource="document"),
    },
    tenant=tenant_of,
    actor=actor_of,
)


class Login(BaseModel):
    login: str
    password: str


@app.post("/login")
def log_in(given: Login, request: Request) -> dict[str, str]:
    user = USERS.get(given.login)
    context = current()
    if user is not None and context is not None:
        context.tenant_id = user.tenant  # even if the attempt fails
    if user is None or not secrets.compare_digest(user.password, given.password):
        reason = "unknown_user" if user is None else "bad_credentials"
        audit.record(
            action="user.login_failed",
            resource="user",
            outcome="failure",
            severity="Medium",
            metadata={"reason": reason, "method": "password"},
        )
        raise HTTPException(401)
    request.state.user = user
    audit.record(
        action="user.login", resource="user", resource_id=user.id, outcome="success", metadata={"method": "password"}
    )
    token = secrets.token_urlsafe()
    sessions[token] = user
    return {"token": token}


class Document(BaseModel):
    text: str


@app.put("/documents/{name}", status_code=204)
def save(name: str, document: Document, user: SignedIn) -> None:
    documents[user.tenant, name] = document.text


@app.delete("/documents/{name}", status_code=204)
async def delete(name: str, user: SignedIn) -> None:
    if not user.may_delete:
        raise HTTPException(403)
    if documents.pop((user.tenant, name), None) is None:
        raise HTTPException(404)


@app.get("/export")
def export(user: SignedIn) -> StreamingResponse:
    def lines() -> Iterator[str]:
        for (tenant, name), text in documents.items():
            if tenant == user.tenant:
                yield f"{name}: {text}\n"

    return StreamingResponse(lines(), media_type="text/plain")
