"""Checks a release before it is built, and writes the files that belong to it.

    python deploy/release/release.py check v0.2.0        # exit code 1 with a sentence for each problem
    python deploy/release/release.py notes v0.2.0        # the release's section of CHANGELOG.md
    python deploy/release/release.py security-txt https://code.example/project

It needs no packages. `.github/workflows/release.yml` runs it.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
TAG: Final = re.compile(r"v(\d+\.\d+\.\d+)")
SECTION: Final = re.compile(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d{2}-\d{2})\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
VALID: Final = timedelta(days=365)
UPGRADE: Final = "### Upgrade"


def versions(root: Path) -> dict[str, str]:
    """Return the version stated in each file, by path."""
    chart = (root / "deploy/helm/auditlane/Chart.yaml").read_text()
    compose = (root / "deploy/compose/compose.yaml").read_text()
    found = {"pyproject.toml": tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]}
    for field in ("version", "appVersion"):
        found[f"Chart.yaml: {field}"] = re.findall(rf"^{field}: (\S+)", chart, re.MULTILINE)[0]
    for number, version in enumerate(sorted(set(re.findall(r"\$\{AUDITLANE_VERSION:-([^}]+)\}", compose)))):
        found[f"compose.yaml: default {number + 1}"] = version
    return found


def problems(tag: str, stated: Mapping[str, str], changelog: str) -> list[str]:
    """Return a sentence for each reason why this tag cannot be released."""
    match = TAG.fullmatch(tag)
    if match is None:
        return [f"The tag {tag} is not v and three numbers, as v0.2.0."]
    version = match[1]
    found = [f"{where} says {other}, not {version}." for where, other in stated.items() if other != version]
    sections = {name: text for name, _, text in SECTION.findall(changelog)}
    if version not in sections:
        found.append(
            f"CHANGELOG.md has no section `## {version} - YYYY-MM-DD`: rename Unreleased, and begin a new one."
        )
    elif UPGRADE not in sections[version]:
        found.append(
            f"The section {version} of CHANGELOG.md has no `{UPGRADE}`: what an operator does, or `Nothing to do.`"
        )
    if "\n## Unreleased\n" not in changelog:
        found.append("CHANGELOG.md has no section `## Unreleased` for the next release.")
    return found


def notes(tag: str, changelog: str) -> str:
    """Return a release's section as text. Raises KeyError if it is missing."""
    sections: dict[str, str] = {name: text.strip() for name, _, text in SECTION.findall(changelog)}
    return sections[tag.removeprefix("v")] + "\n"


def security_txt(repository: str, now: datetime) -> str:
    """Return a security.txt (RFC 9116) for the repository's URL, valid for a year from `now`."""
    base = repository.rstrip("/")
    expires = (now + VALID).astimezone(UTC).replace(microsecond=0)
    return (
        f"Contact: {base}/security/advisories/new\n"
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}\n"
        f"Policy: {base}/blob/HEAD/SECURITY.md\n"
        "Preferred-Languages: en, de\n"
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Check a release, and write the files that belong to it.")
    parser.add_argument("command", choices=["check", "notes", "security-txt"])
    parser.add_argument("value", help="The tag, as v0.2.0, or the repository's URL.")
    given = parser.parse_args(arguments)
    changelog = (ROOT / "CHANGELOG.md").read_text()
    if given.command == "check":
        found = problems(given.value, versions(ROOT), changelog)
        print("\n".join(found), file=sys.stderr)
        return 1 if found else 0
    print(
        notes(given.value, changelog) if given.command == "notes" else security_txt(given.value, datetime.now(UTC)),
        end="",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
