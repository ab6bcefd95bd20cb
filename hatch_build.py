"""Decides whether hatch may build a wheel without the viewer.

A wheel for distribution, which hatch's own command builds, or `python -m build` from a source distribution, must
contain the viewer. An installation from a checkout (`pip install .`) need not, so that it works without Node: the
service then shows its plain page, which names what is missing. A classifier makes package indexes reject such a wheel.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILD: Final = Path("deploy/auditlane/server/pages/static/viewer")
NOT_FOR_UPLOAD: Final = "Private :: Do Not Upload"  # PyPI and similar indexes reject wheels with this classifier


class ViewerIsThere(BuildHookInterface[Any]):
    """Requires the viewer, except in editable installs and source distributions."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raise RuntimeError for a wheel for distribution that would lack a file of the viewer."""
        if self.target_name != "wheel" or version == "editable":
            return
        missing = lacking(Path(self.root) / BUILD)
        if not missing:
            return
        if is_for_distribution(Path(self.root)):
            raise RuntimeError(
                f"The viewer is not built: {BUILD}/{missing} is missing. Run `make viewer`, then build the wheel."
            )
        self.metadata.core.classifiers.append(NOT_FOR_UPLOAD)
        self.app.display_warning("Installing without the viewer, which is not built. `make viewer` builds it.")


def is_for_distribution(root: Path) -> bool:
    """Return whether the wheel will be distributed, rather than installed from this checkout."""
    return "hatchling.cli" in sys.modules or (root / "PKG-INFO").is_file()


def lacking(folder: Path) -> str:
    """Return the first file in the build's manifest that does not exist, or "" if the build is complete."""
    manifest = folder / ".vite" / "manifest.json"
    if not manifest.is_file():
        return str(manifest.relative_to(folder))
    for chunk in json.loads(manifest.read_text()).values():
        for name in [chunk["file"], *chunk.get("css", []), *chunk.get("assets", [])]:
            if not (folder / name).is_file():
                return str(name)
    return ""
