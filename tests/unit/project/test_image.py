"""Tests the image. hadolint accepts the Dockerfile, its variables are settings, and the lock files match
`constraints.txt`.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from tools import hadolint

from auditlane.runtime import settings

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "image"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
TARGETS = ("worker", "serve")


def locked(target: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^ \\]+)", (FOLDER / f"{target}.txt").read_text(), re.MULTILINE)
    return {_normal(name): version for name, version in found}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def extra(name: str) -> set[str]:
    """Return the packages of an extra, including those of extras that it contains."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = {_normal(Requirement(one).name) for one in project["dependencies"]}
    for line in project["optional-dependencies"][name]:
        requirement = Requirement(line)
        found |= set().union(*(extra(one) for one in requirement.extras)) if requirement.name == "auditlane" else set()
        found |= set() if requirement.name == "auditlane" else {_normal(requirement.name)}
    return found


def test_hadolint_accepts_the_dockerfile() -> None:
    done = subprocess.run([hadolint(), str(FOLDER / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_hadolint_finds_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd /tmp && ls\n")
    done = subprocess.run([hadolint(), str(tmp_path / "Dockerfile")], capture_output=True, text=True, check=False)
    assert "DL3006" in done.stdout


def test_it_runs_as_a_user_of_its_own_and_starts_auditlane() -> None:
    *_, runtime = re.split(r"^FROM .* AS runtime$", DOCKERFILE, flags=re.MULTILINE)
    assert "USER 10001:10001" in runtime
    assert 'ENTRYPOINT ["auditlane"]' in runtime
    assert "\nCMD" not in DOCKERFILE
    assert re.findall(r"^FROM runtime AS (\w+)$", DOCKERFILE, re.MULTILINE) == list(TARGETS)
    for label in ("title", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in runtime
    assert "local" not in re.findall(r"auditlane\[(\w+)\]", DOCKERFILE)


def test_its_variables_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {settings.variable(name) for name in settings.Settings.model_fields}
    found = dict(re.findall(r"\b(AUDITLANE_[A-Z_]+)=(\S+)", DOCKERFILE))
    assert found
    assert found.keys() <= known
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    assert settings.load().worker_host == settings.load().serve_host == "0.0.0.0"


def test_packages_are_installed_offline_and_by_their_hashes() -> None:
    installs = re.findall(r"install --no-cache-dir (?:[^&\n\\]|\\\n)*", DOCKERFILE)
    assert len(installs) == 4
    assert all("--no-index" in one and "--no-deps" in one for one in installs)
    assert sum("--require-hashes" in one for one in installs) == 2


@pytest.mark.parametrize("target", TARGETS)
def test_a_lock_has_the_versions_that_are_tested_and_a_hash_for_each(target: str) -> None:
    constraints = {
        _normal(name): version
        for name, version in re.findall(
            r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE
        )
    }
    versions = locked(target)
    assert {name: version for name, version in versions.items() if constraints.get(name, version) != version} == {}
    needed = extra("worker") | extra("otel") | (extra("serve") | extra("s3") if target == "serve" else set())
    assert needed <= versions.keys()
    for entry in re.split(r"\n(?=\S)", (FOLDER / f"{target}.txt").read_text().strip()):
        assert "--hash=sha256:" in entry


def test_the_context_contains_nothing_but_wheels_and_locks() -> None:
    assert (FOLDER / ".dockerignore").read_text().split() == ["*", "!worker.txt", "!serve.txt", "!wheels"]
    assert subprocess.run(["sh", "-n", str(FOLDER / "build.sh")], check=False).returncode == 0
