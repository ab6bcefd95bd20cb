"""The secrets of the provenance keys, from a file that may be created after the worker has started."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from auditlane.access.provenance_keys import ProvenanceKeys, path_of
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings, variable

_MEANS: Final = (
    "events of the gateway are stored with provenance kafka, as if written directly to the topic, and auditlane's own "
    "events become dead letters"
)


def _log(problem: str, means: str) -> None:
    get("worker").warning("provenance.off", problem=problem, means=means)


class Secrets:
    """Returns the secrets when called. A worker calls it once per range. Thread-safe.

    If there are no secrets, it calls `on_missing` once, with a description of the problem and its consequences.
    """

    def __init__(self, settings: Settings, *, on_missing: Callable[[str, str], None] = _log) -> None:
        self._path = path_of(settings)
        self._on_missing = on_missing
        self._lock = threading.Lock()
        self._keys: ProvenanceKeys | None = None
        self._reported = False

    @property
    def keys(self) -> ProvenanceKeys | None:
        """The keys file, or None while it is missing or has never been valid."""
        with self._lock:
            if self._keys is None and self._path is not None:
                self._keys = self._opened(self._path)
            elif self._path is None:
                self._report(f"{variable('provenance_keys_file')} is not set.")
            return self._keys

    def __call__(self) -> Mapping[str, bytes]:
        """Return the secrets by key id, or {} if there is no file."""
        keys = self.keys
        return keys.secrets() if keys else {}

    def _opened(self, path: Path) -> ProvenanceKeys | None:
        try:
            return ProvenanceKeys(path)
        except ConfigError as error:
            self._report(error.message)
            return None

    def _report(self, problem: str) -> None:
        if not self._reported:
            self._reported = True
            self._on_missing(problem, _MEANS)
