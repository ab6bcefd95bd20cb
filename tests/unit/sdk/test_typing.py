"""Tests that type checkers accept correct uses of the SDK, and report the expected error for each incorrect one."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from components import missing

USES = Path(__file__).with_name("typed_uses.py")
ROOT = Path(__file__).parents[3]
WRONG = re.compile(r"# wrong: ([\w -]+), ([\w ]+)$")
MYPY_LINE = re.compile(r"^[^:]*:(\d+): error: .*\[([\w-]+)\]$", re.MULTILINE)
Reports = dict[int, set[str]]


def expected(checker: int) -> Reports:
    """Return the codes that the checker (0: mypy, 1: pyright) must report, by line."""
    lines = enumerate(USES.read_text().splitlines(), start=1)
    return {number: set(found[1 + checker].split()) for number, line in lines if (found := WRONG.search(line))}


def installed(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        missing(name, f"pip install {name}")


def by_line(pairs: list[tuple[int, str]]) -> Reports:
    found: Reports = defaultdict(set)
    for line, code in pairs:
        found[line].add(code)
    return dict(found)


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 1, done.stdout + done.stderr  # 1 means that it found errors, and 2 that it failed
    return done.stdout


def test_mypy_reports_exactly_the_expected_errors(tmp_path):
    installed("mypy")
    cache = ROOT / ".mypy_cache" / "typed_uses"  # kept, since the first run takes half a minute
    printed = run(tmp_path, "mypy", "--strict", "--config-file", "", "--cache-dir", str(cache), str(USES))
    assert by_line([(int(line), code) for line, code in MYPY_LINE.findall(printed)]) == expected(0), printed


def test_pyright_reports_exactly_the_expected_errors(tmp_path):
    installed("basedpyright")
    config = {"include": [str(USES)], "typeCheckingMode": "standard", "pythonVersion": "3.11"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(config))
    printed = run(tmp_path, "basedpyright", "--outputjson", "--pythonpath", sys.executable)
    reported = json.loads(printed)["generalDiagnostics"]
    pairs = [(one["range"]["start"]["line"] + 1, one["rule"]) for one in reported]
    assert by_line(pairs) == expected(1), json.dumps(reported, indent=1)


@pytest.mark.parametrize("checker", [0, 1])
def test_every_kind_of_wrong_use_is_covered(checker):
    """Without this test, a file whose comments are no longer parsed would pass."""
    assert len(expected(checker)) > 45
