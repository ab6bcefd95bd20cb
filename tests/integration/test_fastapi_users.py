"""Tests the mixin for fastapi-users with the real library. It is installed separately because it pins other
packages.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from components import missing

SUPPORT = Path(__file__).parents[1] / "support"
PACKAGES = [
    *("fastapi-users>=15", "pwdlib", "argon2-cffi", "argon2-cffi-bindings", "bcrypt", "makefun"),
    *("email-validator", "dnspython", "python-multipart"),
]


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Provide a folder with fastapi-users. All other packages come from this environment."""
    folder = tmp_path / "packages"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [*command, "--target", str(folder), *PACKAGES], capture_output=True, text=True, timeout=200, check=False
    )
    if done.returncode:
        missing("fastapi-users", done.stderr[-500:])
    return folder


@pytest.mark.long
def test_every_event_of_fastapi_users(packages: Path) -> None:
    path = os.pathsep.join((str(packages), str(SUPPORT)))
    command = [sys.executable, str(SUPPORT / "fastapi_users_app.py")]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout.splitlines()[-1])
    assert output["statuses"] == [201, 400, 400, 202, 200, 202, 200, 200, 200, 200, 200, 400, 204]
    assert output["errors"] == []
    events = output["events"]
    assert [(one["action"], one["outcome"]) for one in events] == [
        ("user.created", "success"),
        ("user.login_failed", "failure"),
        ("user.login_failed", "failure"),
        ("user.password_reset_requested", "success"),
        ("user.password_reset", "success"),
        ("user.email_verified", "success"),
        ("user.login", "success"),
        ("user.updated", "success"),
        ("user.password_changed", "success"),
        ("user.disabled", "success"),
        ("user.login_failed", "denied"),
        ("user.deleted", "success"),
    ]
    ids = {one["resource_id"] for one in events} - {None}
    assert len(ids) == 1
    assert {one["tenant_id"] for one in events} == {"acme"}
    assert {one["ip"] for one in events} == {"192.0.2.7"}
    assert events[1]["metadata"]["login"] == "j***@acme.example"
    assert events[7]["metadata"] == {"changed_fields": "name"}
    for secret in ("correct horse", "new password", "another password", "eyJ"):
        assert secret not in done.stdout
