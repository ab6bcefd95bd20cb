"""Tests that the commands in the README and the docs can be run unchanged on one stack, in the order in which they
appear on each page.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import cloudtrail_records
import pytest
import urllib3
from components import missing
from fixtures.stack import Stack, clean, until

ROOT = Path(__file__).parents[2]
MARKED = re.compile(r"<!-- run: (\w+) -->\n```\w+\n(.*?)```", re.DOTALL)
CANDIDATES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
PAGES = [page for page in CANDIDATES if MARKED.search(page.read_text("utf-8"))]
STREAM_S = 3  # how long a live stream is read
# A failing command ends its block. curl fails on an HTTP error, and does not read a stream forever.
PRELUDE = f"""
curl() {{
  case "$*" in
    */stream*) command curl --max-time {STREAM_S} "$@" || test $? -eq 28 ;;
    *) command curl --fail-with-body "$@" ;;
  esac
}}
"""
EXPECTED = {
    "README.md": ["http://"],
    "docs/query.md": ['"event_id":', '"value":', "retry: 2000"],
    "docs/emit.md": ['"accepted":1', "Registered project, reason", "Nothing to register"],
    "docs/export.md": ['"Jane","user.login_failed"'],
    "docs/sql.md": [r"^\d+$"],
    "docs/structure.md": ['"order_number"'],
}

Shell = Callable[[str], str]


@pytest.fixture(scope="module")
def variables(stack: Stack) -> Mapping[str, str]:
    """Provide the variables that the pages use. Also store an event for acme, which the searches on the pages find."""
    key = json.loads(stack.run("keys", "create", "--role", "vendor", "--json").stdout)
    url = stack.env["AUDITLANE_SERVE_URL"]
    credentials = {"client_id": key["client_id"], "secret": key["secret"]}
    token = urllib3.request("POST", f"{url}/v1/token", json=credentials).json()["access_token"]
    event = ("--action", "user.login_failed", "--outcome", "failure", "--severity", "High", "--actor-name", "Jane")
    stack.run("emit", "--tenant", "acme", *event)
    until(lambda: stack.count(where="tenant_id = 'acme' AND action = 'user.login_failed'"), 60, "the event")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        "PATH": path,
        "AUDITLANE_DATA_DIR": str(stack.data),
        "URL": url,
        "CLIENT_ID": key["client_id"],
        "SECRET": key["secret"],
        "TOKEN": token,
    }


def _typed_events() -> str:
    """Return the module that docs/emit.md declares, without the call that emits an event."""
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "emit.md").read_text("utf-8"), re.DOTALL)
    (typed,) = (snippet for snippet in snippets if "(AuditEvent, action=" in snippet)
    return str(typed).partition("audit.emit")[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Provide a folder with the files that the pages mention."""
    line = {"tenant_id": "acme", "action": "Imported", "occurred_at": "2026-05-01T12:00:00Z"}
    (tmp_path / "events.jsonl").write_text(json.dumps(line) + "\n")
    (tmp_path / "AWSLogs").mkdir()
    for name in ("trail.json.gz", "2026-01.json.gz", "AWSLogs/2025-12.json.gz"):
        (tmp_path / name).write_bytes(gzip.compress(cloudtrail_records.lines(3)))
    (tmp_path / "myapp").mkdir()
    (tmp_path / "myapp" / "events.py").write_text(_typed_events())
    return tmp_path


@pytest.fixture
def shell(variables: Mapping[str, str], folder: Path) -> Shell:
    if not shutil.which("curl"):
        missing("curl", "it is not on the PATH.")

    def run(script: str) -> str:
        done = subprocess.run(
            [shutil.which("sh") or "sh", "-e", "-c", PRELUDE + script],
            env=clean() | variables,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def _commands(block: str) -> tuple[str, list[str]]:
    """Return the commands in a block, and the lines of output that it shows."""
    block = re.sub(r"^source .*\n", "", block, flags=re.MULTILINE)  # the tests' own environment is already active
    if not block.startswith("$ "):
        return block, []
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*\n)", block, re.MULTILINE)
    return "".join(commands), re.sub(r"^\$ (?:.*\\\n)*.*\n", "", block, flags=re.MULTILINE).splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_pages_commands_run(stack: Stack, shell: Shell, folder: Path, page: Path) -> None:
    printed = ""
    for kind, block in MARKED.findall(page.read_text("utf-8")):
        if kind == "python":
            subprocess.run([sys.executable, "-c", block], env=stack.env, check=True)
            continue
        commands, shown = _commands(block)
        printed += (output := shell(commands))
        for line in shown:
            if line.startswith("{"):
                assert json.loads(line).keys() == json.loads(output).keys()
            else:  # parts that vary between runs begin at two spaces or an ellipsis
                assert re.split(r"  |…", line)[0] in output
    printed += "".join(file.read_text("utf-8") for file in folder.glob("*.csv"))
    for expected in EXPECTED.get(str(page.relative_to(ROOT)), []):
        assert re.search(expected, printed, re.MULTILINE)
