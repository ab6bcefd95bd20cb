"""Tests which artifacts can be built without the viewer, and which contain the viewer's build."""

from __future__ import annotations

import email
import importlib.util
import json
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path
from types import ModuleType

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


def built(tree: Path, target: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(tree.parent / "out")]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def installed(tree: Path) -> subprocess.CompletedProcess[str]:
    """Build a wheel with the build backend, as `pip install` does for a folder."""
    (out := tree.parent / "out").mkdir(exist_ok=True)
    code = f"from hatchling.build import build_wheel; build_wheel({str(out)!r})"
    return subprocess.run([sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=False)


def metadata(tree: Path) -> Message:
    [wheel] = tree.parent.glob("out/*.whl")
    with zipfile.ZipFile(wheel) as packed:
        [name] = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(packed.read(name))


def test_an_installation_from_a_checkout_works_without_the_viewer(tree):
    done = installed(tree)
    assert done.returncode == 0, done.stderr
    assert "make viewer" in done.stdout + done.stderr
    assert "Private :: Do Not Upload" in metadata(tree).get_all("Classifier", [])


def test_with_the_viewer_it_is_a_wheel_for_others(tree):
    put_build(tree / VIEWER)
    done = installed(tree)
    assert done.returncode == 0, done.stderr
    assert "make viewer" not in done.stdout + done.stderr
    assert not [one for one in metadata(tree).get_all("Classifier", []) if one.startswith("Private")]


def test_no_wheel_from_a_source_distribution_without_the_viewer(tree):
    """`python -m build` builds the wheel from the source distribution."""
    assert built(tree, "sdist").returncode == 0
    [sdist] = tree.parent.glob("out/*.tar.gz")
    with tarfile.open(sdist) as packed:
        packed.extractall(tree.parent / "unpacked", filter="data")
    [unpacked] = (tree.parent / "unpacked").iterdir()
    refused = installed(unpacked)
    assert refused.returncode
    assert "The viewer is not built" in refused.stderr
    put_build(unpacked / VIEWER)
    assert installed(unpacked).returncode == 0


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


def test_an_incomplete_build_is_refused(tmp_path):
    lacking = hook().lacking
    assert lacking(tmp_path) == ".vite/manifest.json"
    put_build(tmp_path)
    assert lacking(tmp_path) == ""
    for name in FILES:
        (tmp_path / name).unlink()
        assert lacking(tmp_path) == name
        (tmp_path / name).write_text("")
