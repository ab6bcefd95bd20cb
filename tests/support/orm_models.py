"""Mapped classes and an SQLite database for tests of the SQLAlchemy integration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from sqlalchemy import JSON, Engine, ForeignKey, ForeignKeyConstraint, LargeBinary, create_engine, event, func
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import DeclarativeBase, Mapped, deferred, mapped_column, relationship
from sqlalchemy.pool import StaticPool


class Base(DeclarativeBase):
    pass


class Folder(Base):
    __tablename__ = "folders"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    documents: Mapped[list[Document]] = relationship(back_populates="folder", cascade="all, delete-orphan")


class Document(Base):
    __tablename__ = "documents"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(default="")
    tenant: Mapped[str] = mapped_column(default="acme")
    api_token: Mapped[str | None]
    search: Mapped[str | None]
    settings: Mapped[dict[str, Any] | None] = mapped_column(MutableDict.as_mutable(JSON))
    body: Mapped[bytes | None] = deferred(mapped_column(LargeBinary))
    revision: Mapped[int] = mapped_column(default=1, onupdate=lambda: 2)
    stamp: Mapped[str | None] = mapped_column(onupdate=func.lower("LATER"))
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folders.id"))
    folder: Mapped[Folder | None] = relationship(back_populates="documents")


class Person(Base):
    """A class with joined inheritance and a composite primary key."""

    __tablename__ = "people"
    region: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str | None]
    __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "person"}


class Manager(Person):
    __tablename__ = "managers"
    region: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    budget: Mapped[int | None]
    __table_args__ = (ForeignKeyConstraint(["region", "number"], ["people.region", "people.number"]),)
    __mapper_args__: ClassVar = {"polymorphic_identity": "manager"}


class Unwatched(Base):
    __tablename__ = "unwatched"
    id: Mapped[int] = mapped_column(primary_key=True)


def with_savepoints(engine: Engine) -> Engine:
    """Make SQLAlchemy send BEGIN itself, as its documentation describes. Otherwise, savepoints do not work in
    sqlite3.
    """

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


@contextmanager
def database() -> Iterator[Engine]:
    engine = with_savepoints(create_engine("sqlite://", poolclass=StaticPool))
    Base.metadata.create_all(engine)
    try:
        yield engine
    finally:
        engine.dispose()
