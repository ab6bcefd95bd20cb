"""Looks up the locations of addresses in a file in MaxMind's format. Without a file, every location is unknown."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Final

import maxminddb
from pydantic import BaseModel

from auditlane.runtime.errors import ConfigError
from auditlane.runtime.log import get
from auditlane.runtime.settings import variable

_FLAG_A: Final = ord("🇦")  # an emoji flag is the country's two letters in regional indicator symbols
_BROKEN: Final = (OSError, ValueError, maxminddb.InvalidDatabaseError)
Stamp = tuple[int, int, int]


class Flag(BaseModel):
    """The flag that is shown next to a country. Only its emoji is known."""

    country_flag: None = None
    country_flag_emoji: str | None = None


class IpLocation(BaseModel):
    """A location, with Frontegg's member names. Null means unknown."""

    ip: str
    latitude: float | None = None
    longitude: float | None = None
    city: str | None = None
    country_name: str | None = None
    country_code: str | None = None
    zip: str | None = None
    location: Flag = Flag()


class GeoIp:
    """Looks up addresses in the file, which is read again when it is replaced. Thread-safe.

    Raises ConfigError if the file cannot be read initially. Later, the last readable version stays in use.
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

    def of(self, ip: str) -> IpLocation:
        """Return the location of an address, to the extent that the file contains it."""
        if self._path is None:
            return IpLocation(ip=ip)
        with self._lock:
            try:
                self._refresh(self._path)
            except _BROKEN as error:
                get("query").error("places.unreadable", path=str(self._path), problem=str(error))
            try:
                found = self._reader.get(ip) if self._reader else None
            except _BROKEN:  # a corrupt entry, or an IPv6 address looked up in an IPv4 file
                found = None
        return _location(ip, found)

    def _refresh(self, path: Path) -> None:
        now = path.stat()
        stamp = now.st_mtime_ns, now.st_size, now.st_ino
        if stamp != self._stamp:
            self._stamp = stamp  # before reading, so that a corrupt file is logged once
            self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)


def _location(ip: str, found: Any) -> IpLocation:
    """Convert an entry of a city or country file. Members of an unexpected type are omitted."""
    country = _at(found, "country", "iso_code")
    code = country if isinstance(country, str) and len(country) == 2 and country.isascii() and country.isupper() else ""
    return IpLocation(
        ip=ip,
        latitude=_number(_at(found, "location", "latitude")),
        longitude=_number(_at(found, "location", "longitude")),
        city=_text(_at(found, "city", "names", "en")),
        country_name=_text(_at(found, "country", "names", "en")),
        country_code=code or None,
        zip=_text(_at(found, "postal", "code")),
        location=Flag(country_flag_emoji="".join(chr(_FLAG_A + ord(letter) - ord("A")) for letter in code) or None),
    )


def _at(found: Any, *names: str) -> Any:
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
