"""What may be built without the viewer, and what the viewer's build is in when it is there."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
VIEWER = Path("deploy/auditlane/server/pages/static/viewer")
MANIFEST = {
    "src/entries/viewer.ts": {"file": "auditlane-viewer.js", "isEntry": True, "css": ["assets/a.css"]},
    "_kit.js": {"file": "chunks/kit.js", "assets": ["assets/b.svg"]},
}
FILES = ("auditlane-viewer.js", "assets/a.css", "chunks/kit.js", "assets/b.svg")


def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def put_build(folder: Path) -> None:
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".vite").mkdir(exist_ok=True)
    (folder / ".vite" / "manifest.json").write_text(json.dumps(MANIFEST))


@pytest.fixture
def tree(tmp_path) -> Path:
    """A copy of the project as it is in version control, without the viewer's build."""
    tree = tmp_path / "tree"
    ignore = shutil.ignore_patterns("node_modules", "__pycache__", "viewer", ".viewer-*", "*.pyc")
    for name in ("schemas", "producers", "consumers", "deploy"):
        shutil.copytree(ROOT / name / "auditlane", tree / name / "auditlane", ignore=ignore)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tree)
    return tree


def built(tree: Path, target: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(tree.parent / "out")]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def test_no_wheel_without_the_viewer(tree):
    done = built(tree, "wheel")
    assert done.returncode
    assert "The viewer is not built" in done.stderr
    assert "make viewer" in done.stderr
    assert not list(tree.parent.glob("out/*.whl"))
    for target in ("sdist", "wheel:editable"):
        assert built(tree, target).returncode == 0, target


def test_the_wheel_has_the_whole_build(tree):
    put_build(tree / VIEWER)
    done = built(tree, "wheel")
    assert done.returncode == 0, done.stderr
    [wheel] = tree.parent.glob("out/*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        assert {f"auditlane/server/pages/static/viewer/{name}" for name in (*FILES, ".vite/manifest.json")} <= names
        assert "auditlane/server/pages/static/shell.css" in names
        assert "auditlane/server/pages/locale/de.po" in names
    assert not [name for name in names if "hatch_build" in name or name.endswith(".ts")]


def test_half_a_build_is_none(tmp_path):
    lacking = hook().lacking
    assert lacking(tmp_path) == ".vite/manifest.json"
    put_build(tmp_path)
    assert lacking(tmp_path) == ""
    for name in FILES:
        (tmp_path / name).unlink()
        assert lacking(tmp_path) == name
        (tmp_path / name).write_text("")
