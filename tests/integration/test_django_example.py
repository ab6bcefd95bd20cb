"""Tests that the Django example can be run as its README describes, and that the log shows what was done over HTTP."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

from django_site import Browser, environment, free_port, manage, read_events, served
from fixtures.stack import Stack

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "django"


def test_the_django_example_runs_as_its_readme_says(stack: Stack, unique: str, tmp_path: Path) -> None:
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3"))
    env = environment(stack.env)
    text = (folder / "README.md").read_text()
    assert len(text.splitlines()) <= 30
    lines = [shlex.split(line) for line in re.findall(r"^.*python manage\.py.*$", text, re.MULTILINE)]
    assert [line[line.index("manage.py") + 1] for line in lines] == ["migrate", "createsuperuser", "runserver"]
    for line in lines[:-1]:
        start = line.index("manage.py")
        variables = dict(word.split("=", 1) for word in line[: start - 1])
        manage(sys.executable, folder, env | variables, *line[start + 1 :])
    port = free_port()
    with served([sys.executable, *lines[-1][1:], f"127.0.0.1:{port}"], folder, env, port):
        browser = Browser(f"http://127.0.0.1:{port}", **{"X-Tenant": unique, "X-Forwarded-For": "6.6.6.6"})
        browser.submit("/admin/login/?next=/admin/", username="root", password="demo")
        browser.submit("/admin/shop/invoice/add/", number="1", total="10.00", api_key="k-1")
        browser.submit("/admin/shop/invoice/1/change/", total="12.50", api_key="k-2")
        browser.submit("/admin/shop/article/add/", title="Chair", price="80")
        browser.submit("/admin/shop/article/1/change/", price="75")
        browser.submit("/admin/shop/article/", action="delete_selected", _selected_action="1", post="yes")
        browser.get("/report/")
        browser.get("/pay-all/")
        events = read_events(stack, unique, 8)  # before SIGTERM, which ends `runserver --noreload` without a flush
    assert [event["action"] for event in events] == [
        "user.login",
        "invoice.created",
        "invoice.updated",
        "admin.article.created",
        "admin.article.updated",
        "admin.article.deleted",
        "report.viewed",
        "invoice.paid",
    ]
    assert {(event["actor_name"], event["ip"]) for event in events} == {("root", "127.0.0.1")}
    assert [json.loads(events[2][side]) for side in ("before", "after")] == [
        {"total": "10.00", "api_key": "[masked]"},
        {"total": "12.50", "api_key": "[masked, changed]"},
    ]
    assert [json.loads(events[4][side]) for side in ("before", "after")] == [{"price": "80.00"}, {"price": "75"}]
    assert events[7]["metadata"] == {"model": "shop.Invoice", "filter": "paid exact False", "count": "1"}
    assert "report.viewed" in stack.run("events", "--tenant", unique).stdout
