"""The classes of OCSF and their activities, read from the archives of its schema sources.

The archives, `ocsf-schema-<version>.tar.gz`, are not part of the project: they are looked for in `shared/data/ocsf` of
each folder above it.
"""

from __future__ import annotations

import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def archive(version: str) -> Path:
    """Return the archive of a version's sources. Skips the test if there is none."""
    name = f"shared/data/ocsf/ocsf-schema-{version}.tar.gz"
    for parent in ROOT.parents:
        if (parent / name).is_file():
            return parent / name
    pytest.skip(f"no {name} in a folder above {ROOT.name}")


@cache
def classes(version: str) -> dict[int, dict[int, str]]:
    """Return the captions of the activities, by class_uid and activity_id, without the deprecated classes."""
    categories: dict[str, Any] = {}
    events: dict[str, dict[str, Any]] = {}
    with tarfile.open(archive(version)) as tar:
        for member in tar:
            parts = Path(member.name).parts[1:]
            if parts == ("categories.json",) or (parts[:1] == ("events",) and member.name.endswith(".json")):
                content = json.load(tar.extractfile(member) or pytest.fail(member.name))
                if parts[0] == "categories.json":
                    categories = content["attributes"]
                elif "name" in content:
                    events[content["name"]] = content
    found = {}
    for event in events.values():
        line = [event]
        while parent := events.get(line[-1].get("extends", "")):
            line.append(parent)
        category = next((one["category"] for one in line if "category" in one), None)
        if category in categories and "uid" in event and "@deprecated" not in event:
            activities: dict[int, str] = {}
            for one in reversed(line):
                enum = one.get("attributes", {}).get("activity_id", {}).get("enum", {})
                activities |= {int(number): value["caption"] for number, value in enum.items()}
            found[categories[category]["uid"] * 1000 + event["uid"]] = activities
    return found
