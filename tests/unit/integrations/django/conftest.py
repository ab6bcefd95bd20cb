"""Runs the shop in this process, on SQLite, with a client that keeps the recorded events."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditlane.contract.event import AuditEvent
from auditlane.sdk.event_builder import EventBuilder
from auditlane.sdk.recording import Recorder


class Recorded:
    """The parts of AuditClient that the integration uses, without Kafka. It checks events and keeps them."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.errors: list[Exception] = []
        self.unmade: list[Exception] = []
        self._builder = EventBuilder("", None, own_events=False)
        self._recorder = Recorder(self._keep, lambda error, _: self.errors.append(error), "unassigned")

    def record(self, **values: Any) -> str | None:
        return self._recorder.record(values)

    def report_resolver(self, error: Exception) -> None:
        self._recorder.report_resolver(error)

    def report_unrecorded(self, error: Exception) -> None:
        self.unmade.append(error)

    def _keep(self, values: dict[str, Any]) -> str:
        event = self._builder.build(None, values)
        self.events.append(event)
        return str(event.event_id)

    def actions(self) -> list[str]:
        return [event.action for event in self.events]

    def one(self, action: str) -> AuditEvent:
        found = [event for event in self.events if event.action == action]
        assert len(found) == 1, (action, self.actions(), self.errors, self.unmade)
        return found[0]

    def clear(self) -> None:
        self.events.clear()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, bytes]]:
    """Set up Django with the shop, once per process. Yields the database file, and the content of an empty database."""
    database = tmp_path_factory.mktemp("shop") / "shop.sqlite3"
    os.environ["SHOP_DATABASE"] = str(database)
    os.environ["DJANGO_SETTINGS_MODULE"] = "django_shop.settings"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from the imported libraries
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", run_syncdb=True, verbosity=0)
        import django_shop.urls  # noqa: F401
    from django.db import connections

    connections.close_all()
    yield database, database.read_bytes()
    del os.environ["SHOP_DATABASE"], os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.fixture
def recorded(shop: tuple[Path, bytes]) -> Iterator[Recorded]:
    """Empty all tables, and provide a client that records the test's events."""
    from django.core.cache import cache
    from django.db import connections
    from django.test import override_settings
    from django_shop import settings

    client = Recorded()
    with override_settings(AUDITLANE={**settings.AUDITLANE, "CLIENT": lambda: client}):
        yield client
    connections.close_all()
    cache.clear()
    database, empty = shop
    database.write_bytes(empty)


@pytest.fixture
def user(recorded: Recorded) -> Any:
    """Provide a user. The event about the user's creation is discarded."""
    from django.contrib.auth.models import User

    made = User.objects.create_user("jane", "jane@acme.example", "first-Secret-1")
    recorded.clear()
    return made


@pytest.fixture
def staff(recorded: Recorded) -> Any:
    """Provide a browser with a signed-in administrator."""
    from django.contrib.auth.models import User
    from django.test import Client

    root = User.objects.create_superuser("root", "root@acme.example", "root-Secret-1")
    browser = Client(headers={"host": "acme.example"})
    browser.force_login(root)
    browser.root = root  # type: ignore[attr-defined]
    recorded.clear()
    return browser


@pytest.fixture
def client_of(recorded: Recorded) -> Any:
    """Provide a function that returns a browser, in which the given user, if any, is signed in."""
    from django.test import Client

    def make(user: Any, **options: Any) -> Any:
        browser = Client(headers={"host": "acme.example"}, **options)
        if user is not None:
            browser.force_login(user)
            recorded.clear()
        return browser

    return make
