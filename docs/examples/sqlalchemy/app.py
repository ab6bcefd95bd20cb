"""A small document service. The changes that its sessions commit become the tenants' audit log."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import create_engine, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from auditlane.integrations.sqlalchemy import audit_models, audited_model
from auditlane.sdk import audit


class Base(DeclarativeBase):
    pass


@audited_model()
class Document(Base):
    __tablename__ = "documents"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    title: Mapped[str]
    share_token: Mapped[str | None]  # looks like a secret, so events contain it masked


engine = create_engine(os.environ.get("DATABASE_URL", "sqlite:///documents.db"), connect_args={"timeout": 30})
Base.metadata.create_all(engine)
Database = sessionmaker(engine)
audit_models(Database)


async def tenant_of(request: Request, x_user: Annotated[str, Header()]) -> AsyncIterator[str]:
    """Yield the tenant, inside an audit context for its user. This stands in for your authentication: `X-User:
    acme/jane`.
    """
    tenant, _, user = x_user.partition("/")
    address = request.client.host if request.client else None
    with audit.context(tenant=tenant, actor=user, ip=address, user_agent=request.headers.get("user-agent")):
        yield tenant


Tenant = Annotated[str, Depends(tenant_of)]


def database(_: Tenant) -> Iterator[Session]:
    with Database.begin() as session:
        yield session


# scope="function": commits before the response is sent, while the audit context is still set
Data = Annotated[Session, Depends(database, scope="function")]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await audit.aflush()  # a signal stops uvicorn, so Python's exit handlers do not run


app = FastAPI(title="Documents", lifespan=lifespan)


class Title(BaseModel):
    title: str
    share_token: str | None = None


def found(session: Session, tenant: str, document_id: int) -> Document:
    document = session.get(Document, document_id)
    if document is None or document.tenant != tenant:
        raise HTTPException(404)
    return document


@app.post("/documents", status_code=201)
def create(given: Title, tenant: Tenant, session: Data) -> int:
    document = Document(tenant=tenant, title=given.title)
    session.add(document)
    session.flush()
    return document.id


@app.put("/documents/{document_id}", status_code=204)
def change(document_id: int, given: Title, tenant: Tenant, session: Data) -> None:
    document = found(session, tenant, document_id)
    document.title, document.share_token = given.title, given.share_token
    session.flush()
    if not given.title:
        raise HTTPException(422)  # rolls back: there is no event


@app.post("/documents/archive")
def archive(tenant: Tenant, session: Data) -> int:
    session.execute(update(Document).where(Document.tenant == tenant).values(title="Archived"))
    return len(session.scalars(select(Document.id).where(Document.tenant == tenant)).all())


@app.delete("/documents/{document_id}", status_code=204)
def delete(document_id: int, tenant: Tenant, session: Data) -> None:
    session.delete(found(session, tenant, document_id))
