"""The viewer's build in memory. It is read once, so a new build does not affect a running service."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Any, Final

PATH: Final = "/static/viewer"
# Vendors' pages load these by name. Every other name changes with the content.
STABLE: Final = frozenset({"auditlane-viewer.js", "auditlane-settings.js"})
LICENSES: Final = "LICENSES.md"  # licenses of the libraries in the build, served alongside them
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True)
class Asset:
    """One file. `lasting` is true if its name contains a hash of its content."""

    content: bytes
    media_type: str
    lasting: bool

    @cached_property
    def gzipped(self) -> bytes:
        return gzip.compress(self.content, 9, mtime=0)

    @cached_property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


@dataclass(frozen=True, slots=True)
class Entry:
    """The addresses that a page loads: a module, its static imports, and its style sheets."""

    script: str
    preloads: tuple[str, ...]
    styles: tuple[str, ...]


class Bundle:
    """All files of a build, by their path below `PATH`, and the entries that pages load."""

    def __init__(self, manifest: Mapping[str, Any], folder: Traversable) -> None:
        self._manifest = manifest
        self._entries = {chunk["name"]: key for key, chunk in manifest.items() if chunk.get("isEntry")}
        names = {*_files(manifest), *([LICENSES] if folder.joinpath(LICENSES).is_file() else [])}
        self.assets = {name: _asset(name, folder) for name in sorted(names)}

    def entry(self, name: str) -> Entry:
        """Return the addresses for `page`, `embed`, `console` or `auditlane-settings`. Raises KeyError."""
        key = self._entries[name]
        needed = list(dict.fromkeys(self._needed(key)))
        styles = [style for one in needed for style in self._manifest[one].get("css", [])]
        scripts = [self._manifest[one]["file"] for one in needed]
        return Entry(_at(scripts[0]), tuple(map(_at, scripts[1:])), tuple(map(_at, dict.fromkeys(styles))))

    def _needed(self, key: str, above: tuple[str, ...] = ()) -> Iterator[str]:
        yield key
        for one in self._manifest[key].get("imports", []):
            if one not in above:
                yield from self._needed(one, (*above, key))


def load(folder: Traversable | None = None) -> Bundle | None:
    """Return the build in the package, or None if the viewer is not built."""
    folder = folder or files("auditlane.server.pages").joinpath("static", "viewer")
    manifest = folder.joinpath(".vite", "manifest.json")
    return Bundle(json.loads(manifest.read_text()), folder) if manifest.is_file() else None


def _files(manifest: Mapping[str, Any]) -> Iterator[str]:
    for chunk in manifest.values():
        yield chunk["file"]
        yield from chunk.get("css", [])
        yield from chunk.get("assets", [])


def _asset(name: str, folder: Traversable) -> Asset:
    path = PurePosixPath(name)
    content = folder.joinpath(*path.parts).read_bytes()
    lasting = name not in STABLE and name != LICENSES
    return Asset(content, _TYPES.get(path.suffix, "application/octet-stream"), lasting)


def _at(name: str) -> str:
    return f"{PATH}/{name}"
