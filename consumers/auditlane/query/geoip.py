"""Looks up the locations of addresses in a file in MaxMind's format. Without a file, every location is unknown."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import maxminddb

from auditlane.contract.stored_event import Event
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.log import get
from auditlane.runtime.settings import variable

_BROKEN: Final = (OSError, ValueError, maxminddb.InvalidDatabaseError)
Stamp = tuple[int, int, int]


class GeoIp:
    """Looks up addresses in the file, and reads the file again when it is replaced. Thread-safe.

    Raises ConfigError if the file cannot be read initially. After that, the last readable version stays in use.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._reader: maxminddb.Reader | None = None
        if path is not None:
            try:
                self._refresh(path)
            except _BROKEN as error:
                raise ConfigError(
                    f"Cannot read {path}: {error}.",
                    field=variable("geoip_file"),
                    fix="Set it to the path of a MaxMind database (.mmdb).",
                ) from error

    def entries(self, addresses: Iterable[str]) -> dict[str, Any]:
        """Return the entries in the file by address. Unknown addresses are omitted."""
        if self._path is None:
            return {}
        with self._lock:
            try:
                self._refresh(self._path)
            except _BROKEN as error:
                get("query").error("places.unreadable", path=str(self._path), problem=str(error))
            found = {address: self._entry(address) for address in set(addresses)}
        return {address: entry for address, entry in found.items() if entry is not None}

    def located(self, events: Iterable[Event]) -> list[Event]:
        """Return the events with the country of their address, where it is known."""
        given = list(events)
        found = self.entries(event.ip for event in given if event.ip)
        countries = {address: country_code(entry) for address, entry in found.items()}
        return [
            event.model_copy(update={"ip_country": code}) if (code := countries.get(event.ip or "")) else event
            for event in given
        ]

    def _entry(self, address: str) -> Any:
        try:
            return self._reader.get(address) if self._reader else None
        except _BROKEN:  # a corrupt entry, or an IPv6 address looked up in an IPv4 file
            return None

    def _refresh(self, path: Path) -> None:
        now = path.stat()
        stamp = now.st_mtime_ns, now.st_size, now.st_ino
        if stamp != self._stamp:
            self._stamp = stamp  # before reading, so that a corrupt file is logged only once
            self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)


def member(entry: Any, *names: str) -> Any:
    """Return a nested member of an entry, or None if it is missing."""
    for name in names:
        entry = entry.get(name) if isinstance(entry, dict) else None
    return entry


def country_code(entry: Any) -> str | None:
    """Return the ISO 3166-1 code (two letters) of the country of an entry, or None if it is unknown."""
    code = member(entry, "country", "iso_code")
    valid = isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()
    return code if valid else None
