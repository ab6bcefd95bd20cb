"""A small JSON file of credentials. It is reloaded when it changes, replaced atomically, and readable only by its
owner.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from auditlane.runtime.errors import ConfigError
from auditlane.runtime.files import write_text
from auditlane.runtime.log import get

T = TypeVar("T", bound=BaseModel)
Stamp = tuple[int, int, int]


class CredentialsFile(Generic[T]):
    """The file at `path`, parsed as `model`. Threads and processes may share it.

    After the first successful read, an invalid version is reported in `problem` and in the log, and the last valid
    version stays in use, so that an operator's typo does not lock everyone out.
    """

    def __init__(self, path: Path, model: type[T]) -> None:
        self.path = path
        self.problem = ""
        self._model = model
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._value: T | None = None
        self.modified_at = 0.0  # when the version in use was written, in seconds since 1970

    def current(self) -> T:
        """Return the file's content. Raises ConfigError if no version has been valid yet."""
        with self._lock:
            try:
                stamp = _stamp(self.path)
                if stamp != self._stamp:
                    self._stamp = stamp  # taken before reading, so that the next call notices a write in between
                    self._value = self._read()
                    self.problem = ""
                    self.modified_at = stamp[0] / 1_000_000_000
            except (OSError, ConfigError) as error:
                self._report(error)
            assert self._value is not None
            return self._value

    def _report(self, error: OSError | ConfigError) -> None:
        problem = _unreadable(self.path, error) if isinstance(error, OSError) else error
        if self._value is None or isinstance(error, OSError):
            self._stamp = None  # retry on the next call; an invalid version is read only once
        if self._value is None:
            raise problem from error
        if str(problem) != self.problem:
            self.problem = str(problem)
            get("access").error("credentials.broken", path=str(self.path), problem=self.problem)

    def _read(self) -> T:
        text = self.path.read_bytes()
        try:
            return self._model.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError(
                f"{self.path} is not valid: " + "; ".join(map(_sentence, error.errors(include_input=False))),
                fix="Correct the file. Its last valid version stays in use.",
            ) from error

    def update(self, change: Callable[[T], T]) -> T:
        """Replace the content with `change(content)`, one writer at a time.

        Raises ConfigError if the file is missing, invalid or not writable.
        """
        try:
            with _exclusively(self.path):
                before = self._read()
                after = change(before)
                if after is not before:
                    self._write(after)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return after

    def create(self, content: T) -> None:
        """Create the file unless it exists already. Raises ConfigError if it cannot be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _exclusively(self.path):
                if not self.path.exists():
                    self._write(content)
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def _write(self, content: T) -> None:
        write_text(self.path, content.model_dump_json(indent=2, exclude_none=True) + "\n")


def _stamp(path: Path) -> Stamp:
    # Follows links, since a mounted secret is a symbolic link that is switched to a new directory.
    found = os.stat(path)  # noqa: PTH116 - three times per request, and `Path.stat` takes twice as long
    return found.st_mtime_ns, found.st_size, found.st_ino


def _sentence(problem: object) -> str:
    """Describe a problem, preceded by its location, such as `clients[1].roles`, or a line and column if the text is not
    JSON.
    """
    assert isinstance(problem, dict)
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"Cannot use {path}: {error.strerror or error}.", fix="Check the path and its permissions.")


@contextmanager
def _exclusively(path: Path) -> Iterator[None]:
    """Hold a lock that excludes other processes.

    The lock is on a separate file, since the credentials file itself is replaced.
    """
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
