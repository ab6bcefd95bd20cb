"""Tests that a change has an event if, and only if, it was committed, whatever happens to a SQLAlchemy session or its
process.

If a process is killed, only events that Kafka has not yet acknowledged may be missing.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django_site import environment
from fixtures.stack import Stack
from kill_loop import SUPPORT, Application, check_events


def _application(stack: Stack, folder: Path) -> Application:
    database = folder / "invoices.sqlite3"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE invoices (id INTEGER PRIMARY KEY, number TEXT NOT NULL)")
    return Application(
        wsgi="orm_site:application",
        folder=folder,
        env=environment(stack.env, PYTHONPATH=str(SUPPORT), ORM_DATABASE=f"sqlite:///{database}"),
        database=database,
        changes="SELECT number FROM invoices",
        action="invoice.created",
        name="number",
    )


def test_events_are_the_committed_changes(stack: Stack, unique: str, tmp_path: Path) -> None:
    print(check_events(stack, unique, _application(stack, tmp_path), requests=150, kills=3))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_events_are_the_committed_changes_of_many_requests(stack: Stack, unique: str, tmp_path: Path) -> None:
    print(check_events(stack, unique, _application(stack, tmp_path), requests=2_000, kills=40))
