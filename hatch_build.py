"""Decides whether hatch may build a wheel without the viewer, whose page would then be missing from it.

A wheel for others needs the viewer: one that hatch's own command builds, or that is built from a source distribution,
as `python -m build` does. An installation from a checkout (`pip install .`) does not, so that it works without Node:
the service then shows its plain page, which says what is missing. Package indexes refuse such a wheel: its classifiers
say so.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILD: Final = Path("deploy/auditlane/server/pages/static/viewer")
NOT_FOR_OTHERS: Final = "Private :: Do Not Upload"  # no index that follows PyPI takes a wheel with it


class ViewerIsThere(BuildHookInterface[Any]):
    """Editable installs and source distributions go on without it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raise RuntimeError for a wheel for others in which a file of the viewer would be missing."""
        if self.target_name != "wheel" or version == "editable":
            return
        missing = lacking(Path(self.root) / BUILD)
        if not missing:
            return
        if for_others(Path(self.root)):
            raise RuntimeError(
                f"The viewer is not built: {BUILD}/{missing} is missing. Run `make viewer`, then build the wheel."
            )
        self.metadata.core.classifiers.append(NOT_FOR_OTHERS)
        self.app.display_warning("Installing without the viewer, which is not built. `make viewer` builds it.")


def for_others(root: Path) -> bool:
    """Whether the wheel is made to be given away, rather than to be installed from this checkout."""
    return "hatchling.cli" in sys.modules or (root / "PKG-INFO").is_file()


def lacking(folder: Path) -> str:
    """The first file that the build's manifest names and that is not there; empty when it is whole."""
    manifest = folder / ".vite" / "manifest.json"
    if not manifest.is_file():
        return str(manifest.relative_to(folder))
    for chunk in json.loads(manifest.read_text()).values():
        for name in [chunk["file"], *chunk.get("css", []), *chunk.get("assets", [])]:
            if not (folder / name).is_file():
                return str(name)
    return ""
