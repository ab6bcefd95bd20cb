"""Tests that a new Django project with auditlane's two lines has a useful log, with the oldest and the newest supported
Django.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from components import missing
from django_site import Browser, environment, free_port, manage, read_events, served, start_project
from fixtures.stack import Stack

NEWEST = "6.1"
SETTINGS = """
AUDITLANE = {{
    "TENANT": lambda request: "{tenant}" if request.path.startswith("/admin/") else None,
    "TRUSTED_PROXIES": ["127.0.0.1", "10.0.0.0/8"],
}}
"""
# The header that the second of two proxies receives when the client has forged an entry.
PROXIED = {"X-Forwarded-For": "6.6.6.6, 198.51.100.4, 10.0.0.9", "User-Agent": "Browser/1"}


def use_a_new_project(python: str, stack: Stack, tenant: str, folder: Path) -> None:
    """Create a project, use it over HTTP, and check what the query API returns."""
    env = environment(stack.env, DJANGO_SUPERUSER_PASSWORD="root-Secret-1")
    start_project(python, folder, env, SETTINGS.format(tenant=tenant))
    manage(python, folder, env, "createsuperuser", "--noinput", "--username", "root", "--email", "root@acme.example")
    made = "from django.contrib.auth.models import Group, User; Group.objects.create(name='ops');"
    made += "print(*[User.objects.create_user(name).pk for name in ('jane', 'jo', 'jim')])"
    jane, jo, jim = manage(python, folder, env, "shell", "-c", made).split()[-3:]
    port = free_port()
    command = [python, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    with served(command, folder, env, port):
        browser = Browser(f"http://127.0.0.1:{port}", **PROXIED)
        browser.submit("/admin/login/?next=/admin/", username="root", password="wrong")
        browser.submit("/admin/login/?next=/admin/", username="root", password="root-Secret-1")
        old, new = "root-Secret-1", "other-Secret-2"
        browser.submit("/admin/password_change/", old_password=old, new_password1=new, new_password2=new)
        browser.submit(f"/admin/auth/user/{jane}/change/", groups="1", first_name="Jane")
        chosen = {"action": "delete_selected", "_selected_action": [jo, jim], "post": "yes"}
        browser.submit("/admin/auth/user/", **chosen)
        browser.submit(f"/admin/auth/user/{jane}/delete/", post="yes")
    events = read_events(stack, tenant, 8)
    found = [(event["action"], event["resource_id"], event["outcome"]) for event in events]
    assert found[:3] == [
        ("user.login_failed", None, "failure"),
        ("user.login", "1", "success"),
        ("user.password_changed", "1", "success"),
    ]
    assert sorted(found[3:5]) == [("group.member_added", "1", "success"), ("user.updated", jane, "success")]
    assert sorted(found[5:7]) == [("user.deleted", one, "success") for one in sorted((jo, jim))]
    assert found[7:] == [("user.deleted", jane, "success")]
    by_action = {event["action"]: event for event in events}
    assert by_action["user.updated"]["before"] == '{"first_name": ""}'
    assert by_action["user.updated"]["after"] == '{"first_name": "Jane"}'
    assert by_action["group.member_added"]["metadata"] == {"user": jane, "name": "ops"}
    assert by_action["user.login_failed"]["metadata"]["login"] == "r***"
    assert {(event["actor_id"], event["actor_name"], event["actor_type"]) for event in events[1:]} == {
        ("1", "root", "user")
    }
    assert (events[0]["actor_id"], events[0]["actor_type"]) == ("", "anonymous")
    assert {(event["ip"], event["user_agent"], event["tenant_id"]) for event in events} == {
        ("198.51.100.4", "Browser/1", tenant)
    }
    assert "Secret" not in json.dumps(events)


def test_a_new_project_under_the_oldest_release(stack: Stack, unique: str, tmp_path: Path) -> None:
    use_a_new_project(sys.executable, stack, unique, tmp_path / "project")


@pytest.mark.long
@pytest.mark.timeout(900)  # installs packages
def test_a_new_project_under_the_newest_release(stack: Stack, unique: str, tree: Path, tmp_path: Path) -> None:
    found = _interpreter()
    if found is None:
        missing("Django's newest release", f"Django {NEWEST} needs Python 3.12 or newer, and there is none on PATH")
    subprocess.run([found, "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, f"{tree}[django]", f"django=={NEWEST}.*"], check=True)
    use_a_new_project(python, stack, unique, tmp_path / "project")


def _interpreter() -> str | None:
    """Return a Python that the newest Django release supports, found on PATH or installed by pyenv."""
    root = os.environ.get("PYENV_ROOT") or (
        subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False).stdout.strip()
        if shutil.which("pyenv")
        else ""
    )
    names = [f"python3.{minor}" for minor in (14, 13, 12)]
    candidates = [*sorted(Path(root).glob("versions/*/bin/python3.*"), reverse=True)] if root else []
    for path in [*filter(None, map(shutil.which, names)), *(str(path) for path in candidates if path.name in names)]:
        check = "import sys, venv, ensurepip, sqlite3; sys.exit(sys.version_info < (3, 12))"
        if subprocess.run([path, "-c", check], capture_output=True, check=False).returncode == 0:
            return path
    return None
