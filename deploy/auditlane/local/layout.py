"""A stack's data directory: its paths, its owner, and the state kept between starts."""

from __future__ import annotations

import fcntl
import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from auditlane.runtime.errors import AlreadyRunning, ConfigError
from auditlane.runtime.files import write_text

NEEDED_BYTES = 256 << 20
LOG_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths in one data directory, all absolute."""

    root: Path

    @classmethod
    def of(cls, data_dir: Path) -> Layout:
        return cls(data_dir.expanduser().absolute())

    def folder(self, name: str) -> Path:
        """Return a service's folder."""
        return self.root / name

    def log(self, name: str) -> Path:
        """Return the path of a service's log."""
        return self.root / "logs" / f"{name}.log"

    @property
    def keys(self) -> Path:
        return self.root / "keys.json"

    @property
    def signing_keys(self) -> Path:
        return self.root / "signing-keys.json"

    @property
    def provenance_keys(self) -> Path:
        return self.root / "provenance-keys.json"

    @property
    def credentials(self) -> Path:
        """The folder with the services' passwords."""
        return self.root / "credentials"

    def prepare(self) -> None:
        """Create the folders. Raises ConfigError if they cannot be created or the disk is full."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with suppress(PermissionError):  # a writable directory of another user
                self.root.chmod(0o700)  # it contains every tenant's events
            (self.root / "logs").mkdir(exist_ok=True)
            write_text(self.root / ".written", "")
            available = shutil.disk_usage(self.root).free
        except OSError as error:
            raise ConfigError(
                f"Cannot write to the data directory {self.root}: {error.strerror}.",
                field="data_dir",
                fix="Correct its permissions, free disk space, or pass another: --data DIR (AUDITLANE_DATA_DIR).",
            ) from error
        if available < NEEDED_BYTES:
            raise ConfigError(
                f"Only {available >> 20} MB are free at {self.root}; the stack needs {NEEDED_BYTES >> 20} MB.",
                field="data_dir",
                fix="Free disk space, or pass another directory: --data DIR (AUDITLANE_DATA_DIR).",
            )

    def claim(self, pid: int) -> IO[str]:
        """Lock the directory for this process until the returned file is closed. Raises AlreadyRunning."""
        lock = (self.root / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip()
            lock.close()
            raise AlreadyRunning(
                f"A stack is already running in {self.root}" + (f" (process {owner})." if owner else "."),
                fix=f"Check it with auditlane status --data {self.root}; stop it with Ctrl-C in its terminal"
                + (f" or kill {owner}." if owner else "."),
            ) from None
        lock.truncate(0)
        lock.write(str(pid))
        lock.flush()
        return lock

    def owner(self) -> int | None:
        """Return the id of the process that runs a stack here, or None if no stack is running."""
        try:
            with (self.root / "lock").open("r") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read().strip() or 0)
        except (OSError, ValueError):
            pass
        return None

    def write_state(self, state: dict[str, Any]) -> None:
        """Replace the state, which `status` and `env` read."""
        write_text(self.root / "state.json", json.dumps(state, indent=1) + "\n")

    def read_state(self) -> dict[str, Any]:
        """Return the last written state, or an empty state if no stack has ever run here.

        Raises ConfigError if the state cannot be read.
        """
        try:
            state = json.loads((self.root / "state.json").read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigError(f"Cannot read {self.root / 'state.json'}: {error}.", fix="Delete it.") from error
        return state if isinstance(state, dict) else {}


def rotate(log: Path) -> None:
    """Rename an existing log, replacing the previous one, so that a new log can start."""
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))


def bound(log: Path, max_bytes: int = LOG_BYTES) -> None:
    """Copy and truncate a log larger than `max_bytes`, while its writer keeps appending to the same open file."""
    try:
        if log.stat().st_size > max_bytes:
            shutil.copyfile(log, log.with_name(log.name + ".1"))
            with log.open("r+") as file:
                file.truncate(0)
    except OSError:  # a full disk must not stop the supervisor
        return


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 32_768))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""
