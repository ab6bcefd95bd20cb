"""Tests the viewer's package in projects that use it, with the type checkers of four frameworks and two package
linters.

The tools are installed from npm when the test runs. The tests need npm's registry.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from fixtures.npm import Npm

pytestmark = pytest.mark.long

TOOLS = {
    "@arethetypeswrong/cli": "0.18.5",
    "@types/react": "19",
    "publint": "0.3.25",
    "solid-js": "1",
    "svelte": "5",
    "typescript": "5.9",
    "vue": "3.5",
}
REACT = """
import type {} from "@auditlane/viewer/react";
import type {} from "@auditlane/viewer";
import { useRef } from "react";

export function Log({ token }: { token: string }) {
  const log = useRef<HTMLElementTagNameMap["auditlane-viewer"]>(null);
  return (
    <auditlane-viewer
      ref={log}
      base-url="https://audit.example.com"
      token={token}
      query="resource_id:doc-7"
      texts={{ "states.heading": "Activity" }}
      hide="tiles"
      renderCell={(field, value, event) => (field === "actor_name" ? `${value} (${event.actor_id})` : null)}
      className="log"
      ontoken-expired={() => log.current?.open()}
      onauditlane-open={(event) => console.log(event.detail.event.resource_id)}
    />
  );
}
// @ts-expect-error: there is no such theme
export const wrong = <auditlane-viewer theme="blue" />;
"""
SOLID = """
import type {} from "@auditlane/viewer/solid";

export const Log = (props: { token: string }) => (
  <auditlane-viewer
    base-url="https://audit.example.com"
    prop:token={props.token}
    attr:hide="tiles"
    on:auditlane-query={(event) => console.log(event.detail.query)}
  />
);
// @ts-expect-error: there is no such density
export const wrong = <auditlane-viewer density="tall" />;
"""
SVELTE = """
import type {} from "@auditlane/viewer/svelte";
import type { SvelteHTMLElements } from "svelte/elements";

export const log: SvelteHTMLElements["auditlane-viewer"] = {
  "base-url": "https://audit.example.com",
  density: "compact",
  "onauditlane-open": (event) => console.log(event.detail.event.action),
};
"""
VUE = """
import type {} from "@auditlane/viewer/vue";
import { type GlobalComponents, h } from "vue";

type Props = InstanceType<GlobalComponents["auditlane-viewer"]>["$props"];
export const props: Props = {
  baseUrl: "https://audit.example.com",
  density: "compact",
  onAuditlaneQuery: (event) => console.log(event.detail.range),
};
export const log = h("auditlane-viewer", props);
"""
SOURCES = {"react": REACT, "solid": SOLID, "svelte": SVELTE, "vue": VUE}
JSX: dict[str, dict[str, str]] = {
    "react": {"jsx": "react-jsx"},
    "solid": {"jsx": "preserve", "jsxImportSource": "solid-js"},
    "svelte": {},
    "vue": {},
}


@dataclass(frozen=True)
class Project:
    """A folder with the packed viewer and the tools, installed from npm."""

    folder: Path
    npm: Npm

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return self.npm.run(*command, where=self.folder)


@pytest.fixture(scope="module")
def project(npm: Npm, packed_viewer: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(packed_viewer, folder / "viewer.tgz")
    dependencies = TOOLS | {"@auditlane/viewer": "file:viewer.tgz"}
    (folder / "package.json").write_text(json.dumps({"private": True, "devDependencies": dependencies}))
    npm.install(folder)
    return Project(folder, npm)


@pytest.mark.parametrize("framework", SOURCES)
def test_a_framework_checks_the_elements_types(project: Project, framework: str) -> None:
    name = f"{framework}.{'tsx' if JSX[framework] else 'ts'}"
    (project.folder / name).write_text(SOURCES[framework])
    options = {"strict": True, "noEmit": True, "skipLibCheck": False, "types": [], "target": "es2022"}
    modules = {"module": "esnext", "moduleResolution": "bundler", "lib": ["es2023", "dom", "dom.iterable"]}
    config = {"compilerOptions": options | modules | JSX[framework], "files": [name]}
    (project.folder / f"{framework}.json").write_text(json.dumps(config))
    checked = project.run("npx", "tsc", "--project", f"{framework}.json")
    assert checked.returncode == 0, checked.stdout


def test_publint_finds_nothing(project: Project) -> None:
    checked = project.run("npx", "publint", "viewer.tgz", "--strict")
    assert checked.returncode == 0, checked.stdout
    assert "All good" in checked.stdout


def test_the_types_resolve_as_the_modules_do(project: Project) -> None:
    """The package contains only ES modules, so resolution from CommonJS is not checked."""
    checked = project.run("npx", "attw", "viewer.tgz", "--profile", "esm-only", "--format", "ascii", "--no-color")
    assert checked.returncode == 0, checked.stdout
