"""Tests the checks before a release, and the structure of the release workflow."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
_spec = importlib.util.spec_from_file_location("release", ROOT / "deploy" / "release" / "release.py")
assert _spec is not None
assert _spec.loader is not None
release = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(release)

GOOD = """# Changelog

## Unreleased

## 0.2.0 - 2026-12-01

- A change.

### Upgrade
Nothing to do.

## 0.1.0 - 2026-11-01
- All.
"""
STATED = {"pyproject.toml": "0.2.0", "Chart.yaml: version": "0.2.0"}


def test_a_release_whose_files_agree_can_be_made() -> None:
    assert release.problems("v0.2.0", STATED, GOOD) == []
    assert release.notes("v0.2.0", GOOD) == "- A change.\n\n### Upgrade\nNothing to do.\n"


@pytest.mark.parametrize(
    ("tag", "stated", "changelog", "words"),
    [
        ("0.2.0", STATED, GOOD, "The tag 0.2.0 is not v and three numbers"),
        ("v0.2", STATED, GOOD, "The tag v0.2 is not"),
        ("v0.3.0", STATED, GOOD, "pyproject.toml says 0.2.0, not 0.3.0."),
        ("v0.2.0", {"Chart.yaml: version": "0.1.0"}, GOOD, "Chart.yaml: version says 0.1.0"),
        ("v0.2.0", STATED, GOOD.replace("0.2.0 - 2026-12-01", "0.2.0"), "has no section `## 0.2.0 - YYYY-MM-DD`"),
        ("v0.2.0", STATED, GOOD.replace("### Upgrade", ""), "has no `### Upgrade`"),
        ("v0.2.0", STATED, GOOD.replace("## Unreleased", ""), "no section `## Unreleased`"),
    ],
)
def test_each_problem_is_a_sentence(tag: str, stated: dict[str, str], changelog: str, words: str) -> None:
    assert any(words in one for one in release.problems(tag, stated, changelog))


def test_every_file_states_the_same_version_now() -> None:
    stated = release.versions(ROOT)
    assert len(stated) >= 4
    assert len(set(stated.values())) == 1, stated
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text()


def test_security_txt_has_the_required_fields() -> None:
    text = release.security_txt("https://code.example/a/b/", datetime(2026, 11, 30, 12, 0, 0, 5, tzinfo=UTC))
    fields = dict(line.split(": ", 1) for line in text.splitlines())
    assert fields["Contact"] == "https://code.example/a/b/security/advisories/new"
    assert fields["Expires"] == "2027-11-30T12:00:00Z"
    assert fields["Policy"] == "https://code.example/a/b/blob/HEAD/SECURITY.md"


def test_the_command_returns_an_exit_code_and_prints_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["check", "v9.9.9"]) == 1
    assert "pyproject.toml says" in capsys.readouterr().err
    assert release.main(["security-txt", "https://code.example"]) == 0
    assert capsys.readouterr().out.startswith("Contact: https://code.example/security")


def steps() -> list[dict[str, Any]]:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def test_actions_are_pinned_by_commit_and_permissions_are_minimal() -> None:
    for line in re.findall(r"uses: (.*)", WORKFLOW.read_text()):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["test"]["permissions"] == {"contents": "read"}
    assert set(workflow["jobs"]["build"]["permissions"]) == {"contents", "id-token", "attestations"}
    assert workflow["jobs"]["build"]["needs"] == "test"
    for step in steps():
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


def test_no_script_contains_an_expression_and_each_is_valid_shell() -> None:
    """The value of an expression inside a script would be run as code."""
    scripts = [step["run"] for step in steps() if "run" in step]
    assert scripts
    for script in scripts:
        assert "${{" not in script
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_the_files_that_scripts_name_exist() -> None:
    text = WORKFLOW.read_text()
    named = set(re.findall(r"\b(?:deploy/[\w/.-]+|\.ci/\w+|pyproject\.toml)", text))
    assert named >= {"deploy/image/build.sh", "deploy/release/tools.txt", "deploy/helm/auditlane"}
    for name in named:
        assert (ROOT / name.removesuffix("/")).exists(), name


def test_build_tools_have_hashes() -> None:
    for entry in re.split(r"\n(?=\S)", (ROOT / "deploy" / "release" / "tools.txt").read_text().strip()):
        assert "--hash=sha256:" in entry
