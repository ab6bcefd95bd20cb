"""Tests docs/examples/fastapi and docs/examples/flask over HTTP with their real servers, and their logs through the
query API.
"""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.stack import Stack
from web_examples import EXAMPLES, Example, running

UVICORN = ["uvicorn", "app:app", "--port", "PORT"]
GUNICORN = ["gunicorn", "app:app", "--bind", "127.0.0.1:PORT"]


def shown(events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(one["action"], one["outcome"], one["actor_id"], one["resource_id"]) for one in events]


def use(example: Example, name: str, headers: Any) -> None:
    """Log in with a wrong and with the correct password. Save and delete a document, with and without permission."""
    assert example.request("POST", "/login", {"login": "jane@acme.example", "password": "wrong"}).status == 401
    jane, sam = headers("jane"), headers("sam")
    assert example.request("PUT", f"/documents/{name}", {"text": "Draft"}, **jane).status < 300
    assert example.request("GET", "/export", **jane).data == f"{name}: Draft\n".encode()
    assert example.request("DELETE", f"/documents/{name}", **sam).status == 403
    assert example.request("DELETE", f"/documents/{name}", **jane).status < 300
    assert example.request("DELETE", f"/documents/{name}", **jane).status == 404
    assert example.request("DELETE", f"/documents/{name}").status == 401


def expected(name: str) -> list[tuple[Any, ...]]:
    return [
        ("user.login_failed", "failure", "", None),
        ("user.login", "success", "u-1", "u-1"),
        ("user.login", "success", "u-2", "u-2"),
        ("document.saved", "success", "u-1", name),
        ("data.exported", "success", "u-1", None),
        ("document.deleted", "denied", "u-2", name),
        ("document.deleted", "success", "u-1", name),
        ("document.deleted", "failure", "u-1", name),
    ]


def check(example: Example, name: str) -> None:
    """Stop the server immediately, so that it has to flush, and check that the log contains every event exactly
    once.
    """
    assert example.stop() in (0, -15), example.log.read_text()  # the signal ends uvicorn
    events = example.events("acme", 8)
    assert shown(events) == expected(name), example.log.read_text()
    assert {one["ip"] for one in events} == {"127.0.0.1"}
    [unassigned] = example.events("unassigned", 1, resource_id=name)
    assert (unassigned["action"], unassigned["outcome"]) == ("document.deleted", "denied")


def test_the_fastapi_example(stack: Stack, unique: str, tmp_path) -> None:
    with running(stack, "fastapi", UVICORN, tmp_path) as example:

        def headers(user: str) -> dict[str, str]:
            answer = example.request(
                "POST", "/login", {"login": f"{user}@acme.example", "password": f"{user}'s password"}
            )
            assert answer.status == 200, answer.data
            return {"authorization": f"Bearer {answer.json()['token']}"}

        use(example, unique, headers)
        check(example, unique)


def test_the_flask_example(stack: Stack, unique: str, tmp_path) -> None:
    with running(stack, "flask", GUNICORN, tmp_path) as example:

        def headers(user: str) -> dict[str, str]:
            answer = example.request(
                "POST", "/login", {"login": f"{user}@acme.example", "password": f"{user}'s password"}
            )
            assert answer.status == 200, answer.data
            return {"cookie": answer.headers["set-cookie"].partition(";")[0]}

        use(example, unique, headers)
        assert example.request("POST", "/logout", **headers("sam")).status == 200
        assert example.stop() == 0, example.log.read_text()
        events = example.events("acme", 10)
        assert shown(events) == [
            *expected(unique),
            ("user.login", "success", "u-2", "u-2"),
            ("user.logout", "success", "u-2", "u-2"),
        ], example.log.read_text()
        assert {one["ip"] for one in events} == {"127.0.0.1"}
        assert events[0]["metadata"]["login"] == "j***@acme.example"


@pytest.mark.parametrize("name", ["fastapi", "flask"])
def test_the_readme_is_short(name: str) -> None:
    assert len((EXAMPLES / name / "README.md").read_text().splitlines()) <= 30
