"""Tests docs/examples/sqlalchemy over HTTP with its real server, and its log through the query API."""

from __future__ import annotations

import json
from pathlib import Path

from fixtures.stack import Stack
from web_examples import EXAMPLES, running

UVICORN = ["uvicorn", "app:app", "--port", "PORT"]


def test_the_sqlalchemy_example_records_committed_changes(
    stack: Stack, unique: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setitem(stack.env, "DATABASE_URL", f"sqlite:///{tmp_path}/documents.db")
    with running(stack, "sqlalchemy", UVICORN, tmp_path) as example:
        user = {"x-user": f"{unique}/jane"}
        assert example.request("POST", "/documents", {"title": "Draft"}, **user).json() == 1
        changed = {"title": "Final", "share_token": "hunter2"}
        assert example.request("PUT", "/documents/1", changed, **user).status == 204
        assert example.request("PUT", "/documents/1", {"title": ""}, **user).status == 422
        assert example.request("DELETE", "/documents/1", **{"x-user": f"{unique}/sam", **user}).status == 204
        assert example.request("POST", "/documents", {"title": "Other"}, **user).json() == 1
        assert example.request("POST", "/documents/archive", **user).json() == 1
        assert example.stop() in (0, -15), example.log.read_text()
        events = example.events(unique, 5)
    assert [(one["action"], one["resource_id"], one["actor_id"]) for one in events] == [
        ("document.created", "1", "jane"), ("document.updated", "1", "jane"), ("document.deleted", "1", "jane"),
        ("document.created", "1", "jane"), ("document.updated", None, "jane"),
    ]  # fmt: skip
    assert {one["ip"] for one in events} == {"127.0.0.1"}
    assert json.loads(events[1]["before"])["title"] == "Draft"
    assert json.loads(events[1]["after"])["title"] == "Final"
    assert "hunter2" not in json.dumps(events)
    assert events[4]["metadata"]["rows"] == "1"


def test_the_readme_is_short() -> None:
    assert len((EXAMPLES / "sqlalchemy" / "README.md").read_text().splitlines()) <= 30
