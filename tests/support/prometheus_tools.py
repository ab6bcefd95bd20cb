"""Finds Prometheus' programs, which are not included in any package that the tests install."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

VARIABLE = "AUDITLANE_TEST_PROMETHEUS_DIR"
_FOLDER = os.environ.get(VARIABLE)  # read before tests clear the environment
_HOW = (
    f"install Prometheus and Alertmanager, or set {VARIABLE} to the folder of their programs. Without root, Debian's "
    "package of Prometheus works from a folder: `apt-get download prometheus`, then `dpkg -x FILE FOLDER`"
)


def tool(*names: str) -> str:
    """Return the path of the first of these programs that is installed. Otherwise, visibly skip the test, even with
    `CI=true`.
    """
    for name in names:
        if path := shutil.which(name, path=_FOLDER) if _FOLDER else shutil.which(name):
            return path
    pytest.skip(f"{names[0]} is missing: {_HOW}")


def succeed(*command: str) -> str:
    """Run a command, and return its output. Fails the test, and shows the output, if the command fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
