"""Runs the commands in the READMEs of docs/examples. The first block starts the server, and the second one uses it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fixtures.stack import Stack, until
from web_examples import EXAMPLES

from auditlane.local import ports

BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
PORT = "8000"  # the READMEs' port; the tests use a free one
ACTIONS = {
    "celery": ("task.failed", "task.retried"),
    "django": ("user.created",),
    "fastapi": ("user.login_failed", "document.deleted", "document.delete"),
    "flask": ("user.login_failed", "user.logout"),
    "sqlalchemy": ("document.created", "document.updated", "document.deleted"),
}


def _blocks(name: str, port: int) -> tuple[str, str]:
    """Return the code blocks of a README, with another port and without the commands that install packages, since these
    are already installed.
    """
    text = (EXAMPLES / name / "README.md").read_text("utf-8").replace(PORT, str(port))
    text = re.sub(r"^pip install .*\n", "", text, flags=re.MULTILINE)
    text = text.replace("runserver --noreload", f"runserver --noreload {port}")
    server, client = BLOCK.findall(text.replace("source .venv/bin/activate", ":"))
    return server, client


@contextmanager
def _served(block: str, folder: Path, env: dict[str, str]) -> Iterator[Path]:
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-e", "-c", block], cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield log
        assert process.poll() is None, log.read_text()
    finally:
        os.killpg(
            process.pid, signal.SIGKILL
        )  # the events are stored by now; Celery's warm shutdown may wait for a lost process
        process.wait()


def _listening(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.long
@pytest.mark.parametrize("name", ACTIONS)
def test_the_readmes_commands_show_the_events(name: str, stack: Stack, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / name, tmp_path / "docs" / "examples" / name)
    (tmp_path / ".data").mkdir()
    [port] = ports.free(1)
    server, client = _blocks(name, port)
    env = stack.env | {
        "AUDITLANE_DATA_DIR": str(stack.data),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    show = "\n".join(line for line in client.splitlines() if line.startswith("auditlane events"))
    with _served(server, tmp_path, env) as log:
        ready = (lambda: "[queues]" in log.read_text()) if name == "celery" else (lambda: _listening(port))
        until(ready, 60, "the server")
        used = _run(client, tmp_path, env)

        def shown() -> bool:
            return all(action in _run(show, tmp_path, env) for action in ACTIONS[name])

        until(shown, 60, f"the events; the commands printed: {used}")


def _run(block: str, folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-e", "-c", block], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
    return done.stdout
