"""Tests the viewer's build with the real tools. The build is reproducible and within its size limits. If the tools are
missing, it fails with a clear error.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
from fixtures.site import BUILD

VIEWER = BUILD.parent
SIZE = re.compile(r"^(\S+) +first load +([\d.]+) kB gzipped$", re.MULTILINE)
MAX_FIRST_FILES = 6  # more would delay the first request to the service
ENTRIES = {"auditlane-viewer", "auditlane-settings", "page", "embed", "console"}


def vite(folder: Path, out: Path, node: list[str]) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(node[0]).parent), os.environ.get("PATH", "")])
    return subprocess.run(
        [*node, "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"],
        cwd=folder,
        env=os.environ | {"AUDITLANE_VIEWER_OUT": str(out), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(viewer_build: Path, tmp_path: Path) -> Path:
    """Copy the viewer's sources and packages to another folder."""
    folder = tmp_path / "elsewhere" / "viewer"
    shutil.copytree(VIEWER, folder, copy_function=_link, symlinks=True)
    for path in (folder / "src").rglob("*"):  # concurrent edits then affect only the original
        if path.is_file():
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
    (folder / "node_modules" / ".built").unlink(missing_ok=True)
    return folder


def _link(source: str, target: str) -> None:
    """Hard-link a file if both paths are on the same disk, and copy it otherwise. There are too many files in the
    packages to copy them all.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def contents(folder: Path) -> dict[str, bytes]:
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def first_files(manifest: dict[str, Any], key: str) -> set[str]:
    """Return the files that a browser loads before it runs an entry."""
    chunk = manifest[key]
    return {chunk["file"]}.union(*(first_files(manifest, one) for one in chunk.get("imports", [])))


def test_the_build_is_reproducible_in_any_folder(copy, tmp_path, node):
    done = vite(copy, tmp_path / "one", node)
    assert done.returncode == 0, done.stderr
    assert vite(copy, tmp_path / "two", node).returncode == 0
    moved = copy.rename(copy.with_name("moved"))
    assert vite(moved, tmp_path / "three", node).returncode == 0
    first = contents(tmp_path / "one")
    assert ".vite/manifest.json" in first
    assert contents(tmp_path / "two") == first
    assert contents(tmp_path / "three") == first
    sizes = {name: float(kb) for name, kb in SIZE.findall(done.stdout)}
    assert sizes.keys() == ENTRIES
    assert max(sizes.values()) <= 120
    manifest = json.loads(first[".vite/manifest.json"])
    for name in ("viewer", "page", "embed"):
        assert len(first_files(manifest, f"src/entries/{name}.ts")) <= MAX_FIRST_FILES
    # The build contains no code that our policy would forbid, and nothing specific to this machine.
    for name, content in first.items():
        assert not re.search(rb"\beval\(|new Function\(", content), name
        assert str(VIEWER).encode() not in content, name


def test_a_bundle_over_its_budget_fails_the_build(copy, tmp_path, node):
    config = copy / "vite.config.ts"
    text = config.read_text()
    config.unlink()
    assert "BUDGET_KB = 110;" in text
    config.write_text(text.replace("BUDGET_KB = 110;", "BUDGET_KB = 1;"))
    done = vite(copy, tmp_path / "out", node)
    assert done.returncode
    assert "auditlane-viewer" in done.stderr
    assert "more than 1 kB for the first load" in done.stderr
    assert not (tmp_path / "out" / ".vite" / "manifest.json").exists()


def test_it_is_rebuilt_after_a_change_and_a_failed_build_keeps_the_previous_one(copy):
    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(copy / "build.py")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    manifest = copy.parents[1] / "deploy/auditlane/server/pages/static/viewer/.vite/manifest.json"
    first = run()
    assert SIZE.findall(first.stdout), first.stderr
    assert manifest.exists()
    assert run().stdout == ""
    (copy / "src" / "entries" / "console.ts").write_text("export const changed = 1;\n")
    assert SIZE.findall(run().stdout)
    assert run().stdout == ""
    (copy / "src" / "entries" / "console.ts").write_text("import './not-there.js';\n")
    before = manifest.read_bytes()
    failed = run()
    assert failed.returncode == 1
    assert "The viewer is not built" in failed.stderr
    assert manifest.read_bytes() == before
    assert run().returncode == 1  # the old build is not accepted as a build of the current sources


def test_without_node_the_build_fails_clearly_and_a_stack_may_continue(copy, tmp_path):
    """Python has no pip here, so Node cannot be installed from a package either."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    command = [str(tmp_path / "bare" / "bin" / "python"), str(copy / "build.py")]
    alone = {"PATH": str(tmp_path)}
    refused = subprocess.run(command, env=alone, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "The viewer is not built: Node 20.19 or later is missing" in refused.stderr
    going_on = subprocess.run([*command, "--if-possible"], env=alone, capture_output=True, text=True, check=False)
    assert going_on.returncode == 0
    assert "make viewer" in going_on.stderr
