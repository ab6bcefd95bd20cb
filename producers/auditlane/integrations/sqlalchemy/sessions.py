"""Finds the session class to listen to, from the object with which an application creates its sessions."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from auditlane.runtime.errors import ConfigError

SessionTarget = (
    type[Session]
    | Session
    | sessionmaker[Any]
    | scoped_session[Any]
    | type[AsyncSession]
    | AsyncSession
    | async_sessionmaker[Any]
    | async_scoped_session[Any]
)


def listening_target(target: Any) -> Any:
    """Return the class or session to listen to. A maker of async sessions gets its own session class."""
    if isinstance(target, async_scoped_session):
        target = target.session_factory
    if isinstance(target, async_sessionmaker):
        base = target.kw.get("sync_session_class") or target.class_.sync_session_class
        own = type(base.__name__, (base,), {})
        target.configure(sync_session_class=own)
        return own
    if isinstance(target, AsyncSession):
        return target.sync_session
    if isinstance(target, type) and issubclass(target, AsyncSession):
        base = target.sync_session_class
        target.sync_session_class = type(base.__name__, (base,), {})
        return target.sync_session_class
    if isinstance(target, Session | sessionmaker | scoped_session) or (
        isinstance(target, type) and issubclass(target, Session)
    ):
        return target
    raise ConfigError(
        f"audit_models() cannot listen to {target!r:.120}.",
        field="target",
        fix="Pass a Session or AsyncSession class, a session, or the sessionmaker of either.",
    )
