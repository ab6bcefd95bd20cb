"""Tests `pip install .` in a fresh clone on a machine without Node. The service runs, and its page says what is
missing.
"""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
import urllib3
from fixtures.extras import environment, pip

from auditlane.access.keys import KeysFile
from auditlane.runtime.settings import variable


@pytest.mark.long
def test_it_works_without_node_and_the_page_names_what_is_missing(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # empty, so that neither node nor npm is found
    python = environment(tmp_path / "venv")
    pip(python, f"{tree}[worker,serve]")
    KeysFile.load_or_create(tmp_path / "keys.json")
    settings = {"keys_file": tmp_path / "keys.json", "signing_keys_file": tmp_path / "signing-keys.json"}
    all_settings = settings | {"clickhouse_url": "http://127.0.0.1:1"}
    command = [python, "-m", "auditlane.cli", "serve", "--port", "0", "--roles", "query"]
    env = {variable(name): str(value) for name, value in all_settings.items()}
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout
        line = process.stdout.readline()
        assert line, (tmp_path / "log").read_text()
        answer = urllib3.request("GET", json.loads(line)["url"] + "/embed", retries=False)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert answer.status == 503
    assert (
        "run <code>make viewer</code> in the source tree, which requires Node. Then install auditlane"
        in answer.data.decode()
    )
