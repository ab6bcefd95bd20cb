"""Tests the SQLAlchemy integration with asyncio. A listener must not run SQL that SQLAlchemy does not await."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from orm_models import Base, Document, with_savepoints
from recording import RecordingClient
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from auditlane.integrations.sqlalchemy import audit_models
from auditlane.sdk.context import context


@asynccontextmanager
async def maker(**options: Any) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    with_savepoints(engine.sync_engine)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    try:
        yield async_sessionmaker(engine, **options)
    finally:
        await engine.dispose()


@pytest.mark.parametrize("expire", [True, False], ids=["expiring", "keeping"])
def test_changes_savepoints_and_rollbacks(expire: bool) -> None:
    log = RecordingClient()

    async def work() -> None:
        async with maker(expire_on_commit=expire) as made:
            audit_models(made, [Document], client=log, tenant=lambda row: row.tenant)  # type: ignore[arg-type]
            async with made.begin() as session:
                session.add(document := Document(id=1, title="a"))
                point = await session.begin_nested()
                document.title = "lost"
                await session.flush()
                await point.rollback()
            async with made() as session:
                found = await session.get_one(Document, 1)
                await session.commit()
                found.title = "b"  # if `found` has expired, its old value is unknown here
                await session.commit()
                await session.execute(update(Document).values(title="c"))
                await session.commit()
                session.add(Document(id=2))
                await session.flush()
                await session.rollback()
                await session.delete(await session.get_one(Document, 1))
                await session.commit()

    asyncio.run(work())
    assert [event.action for event in log.events] == [
        "document.created", "document.updated", "document.updated", "document.deleted"
    ]  # fmt: skip
    assert json.loads(log.events[1].before or "")["title"] == "a"
    assert json.loads(log.events[3].before or "")["title"] == "c"
    assert log.errors == []


def test_tasks_have_sessions_and_contexts_of_their_own() -> None:
    log = RecordingClient()

    async def add_document(made: async_sessionmaker[AsyncSession], number: int) -> None:
        with context(tenant=f"t{number}"):
            async with made() as session:
                session.add(Document(id=number))
                await session.commit()

    async def work() -> None:
        async with maker() as made:
            audit_models(made, [Document], client=log)  # type: ignore[arg-type]
            for number in range(1, 4):  # a single in-memory connection, so only one transaction at a time
                await asyncio.create_task(add_document(made, number))

    asyncio.run(work())
    assert [(event.tenant_id, event.resource_id) for event in log.events] == [("t1", "1"), ("t2", "2"), ("t3", "3")]


@pytest.mark.parametrize("kind", ["class", "session", "scoped"])
def test_every_kind_of_session_target_is_accepted(kind: str) -> None:
    log = RecordingClient()

    class Own(AsyncSession):
        pass

    async def work() -> None:
        async with maker(class_=Own) as made:
            if kind == "scoped":
                scoped = async_scoped_session(made, scopefunc=asyncio.current_task)
                audit_models(scoped, [Document], client=log)  # type: ignore[arg-type]
                session = scoped()
            elif kind == "session":
                session = made()
                audit_models(session, [Document], client=log)  # type: ignore[arg-type]
            else:
                audit_models(Own, [Document], client=log)  # type: ignore[arg-type]
                session = made()
            async with session:
                session.add(Document())
                await session.commit()

    with context(tenant="acme"):
        asyncio.run(work())
    assert [event.action for event in log.events] == ["document.created"]
    assert AsyncSession.sync_session_class is Session  # other sessions are unaffected
