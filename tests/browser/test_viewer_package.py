"""Tests the viewer as an npm package: its contents, and its use in a TypeScript project."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fixtures.site import BUILD

VIEWER = BUILD.parent
USER = """
import { AuditlaneViewer } from "@auditlane/viewer";
import { AuditlaneSettings } from "@auditlane/viewer/settings";

const viewer: AuditlaneViewer = document.createElement("auditlane-viewer");
viewer.baseUrl = "https://audit.example.com";
viewer.theme = "dark";
viewer.addEventListener("token-expired", () => (viewer.token = "next"));
viewer.addEventListener("auditlane-open", (event) => {
  event.preventDefault();
  const id: string | null = event.detail.event.resource_id;
  console.log(id);
});
viewer.addEventListener("auditlane-query", ({ detail }) => console.log(detail.query, detail.range));
viewer.addEventListener("auditlane-problem", ({ detail }) => console.log(detail.code, detail.requestId));
viewer.addEventListener("click", (event) => console.log(event.clientX));
viewer.texts = { "states.heading": "Activity" };
const settings: AuditlaneSettings = document.createElement("auditlane-settings");
settings.token = viewer.token;
// @ts-expect-error: there is no such theme
viewer.theme = "blue";
// @ts-expect-error: internal
viewer.viewer = null;
"""


@pytest.fixture(scope="module")
def packed(viewer_build: Path, node: list[str]) -> dict[str, Any]:
    """Return the package's `package.json`, with the names of the packed files added as `files`."""
    env = os.environ | {"PATH": os.pathsep.join([str(Path(node[0]).parent), os.environ["PATH"]])}

    def npm(*command: str) -> str:
        finished = subprocess.run(["npm", *command], cwd=VIEWER, env=env, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    npm("run", "--silent", "package")
    [contents] = json.loads(npm("pack", "--dry-run", "--json", "--silent"))
    manifest: dict[str, Any] = json.loads((VIEWER / "package.json").read_text())
    return manifest | {"files": {one["path"] for one in contents["files"]}}


def test_the_package_contains_its_exports_and_their_imports_only(packed: dict[str, Any]) -> None:
    files = packed["files"]
    exports = [one if isinstance(one, dict) else {"default": one} for one in packed["exports"].values()]
    named = {path.removeprefix("./") for one in exports for path in one.values()}
    assert named <= files
    assert {"README.md", "LICENSE", "package.json", "dist/LICENSES.md"} <= files
    declarations = {one for one in files if one.endswith(".d.ts")}
    assert {one.partition("/")[0] for one in declarations} == {"types"}
    assert len(declarations) == 8
    assert "dependencies" not in packed
    assert not [one for one in files if one.startswith(("src/", "test/", "dist/page", "dist/embed", "dist/console"))]
    missing = {
        target
        for name in files
        if name.endswith(".js")
        for target in _imports(VIEWER / name)
        if target.relative_to(VIEWER).as_posix() not in files
    }
    assert missing == set()


def _imports(module: Path) -> list[Path]:
    """Return the files that the module imports with a relative path."""
    text = module.read_text()
    near = [one for one in (module.parent, module.parent.parent) for one in one.rglob("*.js")]
    return [one for one in near if f'"{os.path.relpath(one, module.parent)}"' in text or f'"./{one.name}"' in text]


def test_a_typescript_project_can_use_the_package(packed: dict[str, Any], node: list[str], tmp_path: Path) -> None:
    modules = tmp_path / "node_modules"
    (modules / "@auditlane").mkdir(parents=True)
    (modules / "@auditlane" / "viewer").symlink_to(VIEWER)
    (tmp_path / "user.ts").write_text(USER)
    tsc = VIEWER / "node_modules" / "typescript" / "bin" / "tsc"
    options = ["--strict", "--noEmit", "--skipLibCheck", "false", "--exactOptionalPropertyTypes", "--target", "es2022"]
    libraries = ["--lib", "es2023,dom,dom.iterable", "--types", ""]
    for resolution in (["--module", "esnext", "--moduleResolution", "bundler"], ["--module", "nodenext"]):
        finished = subprocess.run(
            [*node, str(tsc), *options, *resolution, *libraries, "user.ts"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize("module", ["@auditlane/viewer", "@auditlane/viewer/settings", "@auditlane/viewer/react"])
def test_a_server_without_a_dom_can_import_the_package(
    packed: dict[str, Any], node: list[str], tmp_path: Path, module: str
) -> None:
    modules = tmp_path / "node_modules" / "@auditlane"
    modules.mkdir(parents=True)
    (modules / "viewer").symlink_to(VIEWER)
    script = f"const found = await import({module!r}); console.log(Object.keys(found).join());"
    finished = subprocess.run(
        [*node, "--input-type=module", "--eval", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (finished.stdout, finished.stderr) == ("AuditlaneSettings,AuditlaneViewer\n", "")
