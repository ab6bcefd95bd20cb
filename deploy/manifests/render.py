"""Render the Helm chart into plain manifests, without Helm's labels and tests. Run it after a change of the chart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent
CHART = FOLDER.parent / "helm" / "auditlane"
OUTPUT = FOLDER / "auditlane.yaml"
_OF_HELM = ("helm.sh/chart", "app.kubernetes.io/managed-by")
_HEADING = "# Written by render.py from the chart and values.yaml: change it in an overlay, see kustomization.yaml.\n"


def rendered(helm: str) -> str:
    """Return the manifests. `helm` is the path of the program. Raises CalledProcessError."""
    command = [helm, "template", "auditlane", str(CHART), "--values", str(FOLDER / "values.yaml")]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    kept = [one for one in yaml.safe_load_all(found) if one and not _is_test(one)]
    for one in kept:
        _without_labels(one)
    return _HEADING + yaml.safe_dump_all(kept, sort_keys=False, width=120)


def _is_test(manifest: dict[str, object]) -> bool:
    return manifest["kind"] == "Pod"


def _without_labels(value: object) -> None:
    """Remove Helm's labels everywhere, including the pod templates."""
    if isinstance(value, dict):
        for name in _OF_HELM:
            value.pop(name, None)
        for one in value.values():
            _without_labels(one)
    elif isinstance(value, list):
        for one in value:
            _without_labels(one)


if __name__ == "__main__":
    OUTPUT.write_text(rendered(sys.argv[1] if len(sys.argv) > 1 else "helm"))
