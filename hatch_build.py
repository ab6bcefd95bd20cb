"""What hatch asks before it builds a wheel: one without the viewer's build would serve a page that is not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILD: Final = Path("deploy/auditlane/server/pages/static/viewer")


class ViewerIsThere(BuildHookInterface[Any]):
    """Editable installs and source distributions go on without it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raise RuntimeError for a wheel in which a file of the viewer would be missing."""
        if self.target_name == "wheel" and version != "editable":
            missing = lacking(Path(self.root) / BUILD)
            if missing:
                raise RuntimeError(
                    f"The viewer is not built: {BUILD}/{missing} is missing. Run `make viewer`, then build the wheel."
                )


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
