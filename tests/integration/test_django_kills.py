"""Tests that a change has an event if, and only if, it was committed, whatever happens to a Django request or its
process.

If a process is killed, only events that Kafka has not yet acknowledged may be missing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from django_site import environment, manage
from fixtures.stack import Stack
from kill_loop import SUPPORT, Application, check_events

MANAGE = (
    "import sys\nfrom django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n"
)


def _application(stack: Stack, folder: Path) -> Application:
    database = folder / "shop.sqlite3"
    more = {"SHOP_DATABASE": str(database), "DJANGO_SETTINGS_MODULE": "django_shop.loop_settings"}
    env = environment(stack.env, PYTHONPATH=str(SUPPORT), **more)
    (folder / "manage.py").write_text(MANAGE)
    manage(sys.executable, folder, env, "migrate", "--run-syncdb", "--verbosity", "0")
    return Application(
        wsgi="django.core.wsgi:get_wsgi_application()",
        folder=folder,
        env=env,
        database=database,
        changes="SELECT number FROM django_shop_invoice",
        action="invoice.created",
        name="number",
    )


def test_events_are_the_committed_changes(stack: Stack, unique: str, tmp_path: Path) -> None:
    print(check_events(stack, unique, _application(stack, tmp_path), requests=150, kills=3))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_events_are_the_committed_changes_of_many_requests(stack: Stack, unique: str, tmp_path: Path) -> None:
    print(check_events(stack, unique, _application(stack, tmp_path), requests=2_000, kills=40))
