"""Tests commands that cannot write their output. They print one sentence, exit with a non-zero code, and do not create
a key whose secret would be lost.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from auditlane.access.keys import KeysFile

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keys.json"
    KeysFile.load_or_create(path)
    monkeypatch.setenv("AUDITLANE_KEYS_FILE", str(path))
    monkeypatch.setenv("AUDITLANE_DATA_DIR", str(tmp_path / "data"))
    return path


def run(redirected: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = f'"$@" {redirected}'
    command = ["sh", "-c", line, "sh", sys.executable, "-m", "auditlane.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(os.environ))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["keys", "--help"],
        ["keys", "list"],
        ["init", "--cluster", "c", "--print"],
        ["status", "--json"],
        ["doctor"],
    ],
    ids=" ".join,
)
def test_a_full_disk_is_one_sentence(keys: Path, arguments: list[str]) -> None:
    done = run(f">{FULL}", *arguments)
    assert done.returncode not in (0, 1)  # 1 would mean a traceback
    first, _, rest = done.stderr.partition("\n")
    assert first == "error CONFIG_INVALID: Cannot write to standard output: No space left on device."
    assert rest.strip() == "Free disk space, or send the output elsewhere."


@pytest.mark.parametrize(
    ("redirected", "form"),
    [(f">{FULL}", []), (f">{FULL}", ["--json"]), (">&-", []), (f">{FULL} 2>{FULL}", ["--json"])],
)
def test_no_key_is_changed_if_its_secret_cannot_be_printed(keys: Path, redirected: str, form: list[str]) -> None:
    before = keys.read_text()
    assert run(redirected, "keys", "create", "--role", "writer", *form).returncode == 2
    assert keys.read_text() == before
    made = json.loads(run("", "keys", "create", "--role", "writer", "--json").stdout)
    before = keys.read_text()
    assert run(redirected, "keys", "rotate", made["client_id"], "--overlap", "0m", *form).returncode == 2
    assert keys.read_text() == before


def test_errors_that_cannot_be_written_keep_their_exit_code(keys: Path) -> None:
    assert (
        run(f"2>{FULL}", "keys", "revoke", "al_nobody").returncode == run("", "keys", "revoke", "al_nobody").returncode
    )
    assert run(f">{FULL} 2>{FULL}", "version").returncode == 2


def test_a_closed_pipe_is_not_an_error(keys: Path) -> None:
    command = f'{sys.executable} -m auditlane.cli version; echo "$?" >&2'
    done = subprocess.run(["sh", "-c", f"({command}) | true"], capture_output=True, text=True, timeout=60)
    assert done.stderr.split() in (["0"], ["141"])  # depends on which of the two processes is faster


@pytest.mark.parametrize("ignored", ["CHLD", "TERM", "INT HUP PIPE"])
def test_commands_work_whatever_signals_their_parent_ignores(keys: Path, ignored: str) -> None:
    done = run("", "version")
    trapped = ["sh", "-c", f'trap "" {ignored}; exec "$@"', "sh", sys.executable, "-m", "auditlane.cli", "version"]
    assert subprocess.run(trapped, capture_output=True, text=True, timeout=60).stdout == done.stdout


def test_ignored_signals_of_the_parent_are_reset() -> None:
    """SIGINT stays ignored, because shells ignore it for background processes."""
    script = (
        "import signal; from auditlane.runtime import signals; signals.ordinary();"
        "print([signal.getsignal(one).name for one in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)],"
        " signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    )
    parent = (
        "import os, signal, sys;"
        "[signal.signal(one, signal.SIG_IGN) for one in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)];"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD]);"
        "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    )
    done = subprocess.run([sys.executable, "-c", parent, script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "['SIG_DFL', 'SIG_DFL', 'SIG_IGN'] set()", done.stderr
