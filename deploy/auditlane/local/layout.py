"""A stack's data directory: what lies where, who owns it, what the last start left for the next."""

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
    """The paths in one data directory (absolute)."""

    root: Path

    @classmethod
    def of(cls, data_dir: Path) -> Layout:
        return cls(data_dir.expanduser().absolute())

    def folder(self, name: str) -> Path:
        """A service's own folder."""
        return self.root / name

    def log(self, name: str) -> Path:
        """What a service printed."""
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
        """The folder of the services' passwords."""
        return self.root / "credentials"

    def prepare(self) -> None:
        """Make the folders. Raises ConfigError with what to do when they cannot be made or there is no room."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with suppress(PermissionError):  # somebody else's, who lets us write there
                self.root.chmod(0o700)  # every tenant's events are in it
            (self.root / "logs").mkdir(exist_ok=True)
            write_text(self.root / ".written", "")
            available = shutil.disk_usage(self.root).free
        except OSError as error:
            raise ConfigError(
                f"The data directory {self.root} cannot be written: {error.strerror}.",
                field="data_dir",
                fix="Correct its permissions or free some space, or give another: --data DIR (AUDITLANE_DATA_DIR).",
            ) from error
        if available < NEEDED_BYTES:
            raise ConfigError(
                f"Only {available >> 20} MB are free where {self.root} is; the stack needs {NEEDED_BYTES >> 20} MB.",
                field="data_dir",
                fix="Free some space, or give another place: --data DIR (AUDITLANE_DATA_DIR).",
            )

    def claim(self, pid: int) -> IO[str]:
        """Take the directory for this process until the file returned is closed. Raises AlreadyRunning."""
        held = (self.root / "lock").open("a+")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.seek(0)
            owner = held.read().strip()
            held.close()
            raise AlreadyRunning(
                f"A stack already runs in {self.root}" + (f" (process {owner})." if owner else "."),
                fix=f"`auditlane status --data {self.root}` shows it; stop it with Ctrl-C in its terminal"
                + (f" or `kill {owner}`." if owner else "."),
            ) from None
        held.truncate(0)
        held.write(str(pid))
        held.flush()
        return held

    def owner(self) -> int | None:
        """The process that runs a stack here, if one does."""
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
        """Replace what `status` and `env` read."""
        write_text(self.root / "state.json", json.dumps(state, indent=1) + "\n")

    def read_state(self) -> dict[str, Any]:
        """What was last written; empty when nothing ever ran here. Raises ConfigError when it cannot be read."""
        try:
            state = json.loads((self.root / "state.json").read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self.root / 'state.json'} cannot be read: {error}", fix="Delete it.") from error
        return state if isinstance(state, dict) else {}


def rotate(log: Path) -> None:
    """Keep one older log beside a new one."""
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))


def bound(log: Path, most: int = LOG_BYTES) -> None:
    """Move a log that grew past `most` bytes aside while its writer goes on appending to the same open file."""
    try:
        if log.stat().st_size > most:
            shutil.copyfile(log, log.with_name(log.name + ".1"))
            with log.open("r+") as file:
                file.truncate(0)
    except OSError:  # a disk that is full must not stop the supervisor
        return


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 32_768))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""
