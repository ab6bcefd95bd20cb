"""Tests that the tree matches the packaging, and that the architecture's layers cover all of it."""

from __future__ import annotations

import re
import subprocess
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("schemas", "producers", "consumers", "deploy")
PACKAGES = sorted(
    f"auditlane.{child.name}"
    for folder in FOLDERS
    for child in (ROOT / folder / "auditlane").iterdir()
    if child.is_dir() and child.name != "__pycache__"
)


def test_the_lists_of_folders_agree() -> None:
    """With `packages` alone, a wheel is complete, but an editable install silently contains only one of the folders."""
    build = CONFIG["tool"]["hatch"]["build"]
    assert build["dev-mode-dirs"] == list(FOLDERS)
    assert build["targets"]["wheel"]["packages"] == [f"{one}/auditlane" for one in FOLDERS]
    assert CONFIG["tool"]["mypy"]["mypy_path"] == CONFIG["tool"]["mypy"]["files"] == list(FOLDERS)
    assert CONFIG["tool"]["ruff"]["src"] == list(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_namespace_has_no_init(folder: str) -> None:
    assert not (ROOT / folder / "auditlane" / "__init__.py").exists()


def test_every_package_is_typed_and_has_a_layer() -> None:
    linted = CONFIG["tool"]["importlinter"]
    layers = [name for layer in linted["contracts"][0]["layers"] for name in layer.split(" | ")]
    assert sorted(layers) == sorted(linted["root_packages"]) == PACKAGES
    for name in PACKAGES:
        assert any((ROOT / folder / name.replace(".", "/") / "py.typed").exists() for folder in FOLDERS), name


def test_the_base_install_is_for_a_service_that_emits() -> None:
    names = {re.split(r"[\[><=]", one)[0] for one in CONFIG["project"]["dependencies"]}
    assert names == {"confluent-kafka", "fastavro", "pydantic", "urllib3"}


def _tracked() -> list[str]:
    """Return the files that git tracks, or an empty list outside a git checkout."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    return listed.stdout.split()


def test_no_file_has_the_markers_of_a_merge_conflict() -> None:
    if not _tracked():
        pytest.skip("not a git checkout")
    command = ["git", "grep", "-lIE", "^(<{7}|>{7}) "]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split() == []


def test_pinned_versions_contain_no_address() -> None:
    """npm writes funding pages into lock files. Delete these `funding` entries, which `npm ci` does not need."""
    locks = {"constraints.txt", "tests/support/node/package-lock.json"}
    locks |= {name for name in _tracked() if "lock" in Path(name).name and not name.endswith(".py")}
    for lock in sorted(locks):
        text = (ROOT / lock).read_text()
        assert not re.search(r'resolved(?!": "file:)', text), lock
        assert not re.search(r"://|^[^\"]*@ ", text, re.MULTILINE), lock


def test_the_project_names_no_package_registry_and_no_path_of_a_machine() -> None:
    """Users choose where packages come from, such as a mirror or an offline index. An address in the tree would
    override their choice. A path in a home directory would exist only on the author's machine.

    The strings are split here so that this file itself passes.
    """
    listed = _tracked()
    if not listed:
        pytest.skip("not a git checkout")
    hosts = [
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "npmjs" + ".org",
        "maven" + ".org",
        "crates" + ".io",
        "/ho" + "me/",
    ]
    for name in listed:
        path = ROOT / name
        if path.is_file() and path.suffix not in {".gz", ".png"}:
            text = path.read_text("utf-8", errors="replace")
            assert [host for host in hosts if host in text] == [], name


def test_the_wheel_holds_every_folder_and_the_data_files(tmp_path: Path) -> None:
    import sys

    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    for name in PACKAGES:
        assert f"{name.replace('.', '/')}/__init__.py" in names
    assert "auditlane/contract/event.avsc" in names
    assert "auditlane/store/sql/0001_events.sql" in names
    assert "auditlane/__init__.py" not in names


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "tests" / "bench").glob("bench_*.py")))
def test_a_benchmark_can_be_imported(name: str) -> None:
    import_module(name)
