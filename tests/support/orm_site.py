"""A WSGI application for the kill loop. Each request changes an invoice in a SQLAlchemy session."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from orm_models import with_savepoints
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from auditlane.integrations.sqlalchemy import audit_models, audited_model
from auditlane.sdk import audit


class Base(DeclarativeBase):
    pass


@audited_model()
class Invoice(Base):
    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str]


engine = with_savepoints(create_engine(os.environ["ORM_DATABASE"], connect_args={"timeout": 60}))
Database = sessionmaker(engine)
audit_models(Database)


def change(number: int, ending: str) -> dict[str, Any]:
    """Create an invoice with the process id in its number. Returns that id, and whether Kafka has acknowledged the
    events.
    """
    pid = os.getpid()
    with Database.begin() as session:
        session.add(Invoice(number=f"{number}-{pid}"))
        session.flush()
        if ending == "rollback":
            session.rollback()
            return {"pid": pid, "acknowledged": False}
        if ending == "raise":
            raise RuntimeError("after the change")
        if ending == "savepoint":
            try:
                with session.begin_nested():
                    session.add(Invoice(number=f"{number}-inner"))
                    session.flush()
                    raise ValueError
            except ValueError:
                pass
    if ending == "raise_late":
        raise RuntimeError("after the commit")
    return {"pid": pid, "acknowledged": ending == "flush" and bool(audit.flush(30))}


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    number, ending = environ["PATH_INFO"].strip("/").split("/")
    with audit.context(tenant=environ["HTTP_X_TENANT"], actor="jane"):
        body = json.dumps(change(int(number), ending)).encode()
    start_response("200 OK", [("content-type", "application/json"), ("content-length", str(len(body)))])
    return [body]
