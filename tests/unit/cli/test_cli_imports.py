"""Tests which modules a command imports. It must not load libraries that only other commands need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from auditlane.local.layout import Layout

LIGHT = ("version", "env", "status", "up", "keys", "token", "emit", "import", "structure", "schema", "capacity")
# Importing each takes 40 to 150 ms of CPU time. pyarrow imports numpy, and structlog imports rich's tracebacks.
HEAVY = {"clickhouse_connect", "cryptography", "fastapi", "jwt", "lark", "numpy", "pyarrow", "structlog"}
_SCRIPT = f"""
import sys
from auditlane.cli.app import app, load
from auditlane.cli.subcommands import find
app(["env", "--data", sys.argv[1]], standalone_mode=False)
for name in {LIGHT!r}:
    load(find(name))
print(*sorted(sys.modules.keys() & {HEAVY!r}), file=sys.stderr)
"""


def test_light_commands_import_no_client_of_a_store(tmp_path: Path) -> None:
    """Only `env` is actually run. The other commands are merely loaded, as they are for `--help`."""
    Layout.of(tmp_path).write_state({"env": {"AUDITLANE_REGISTRY_URL": "http://127.0.0.1:8081"}})
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == "export AUDITLANE_REGISTRY_URL=http://127.0.0.1:8081\n", done.stderr
    assert done.stderr.split() == []
