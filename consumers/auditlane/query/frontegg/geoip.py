"""`GET /metadata/ip/{ip}`: where an address is, by a file in MaxMind's format; without one, nobody knows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import maxminddb
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal
from auditlane.contract.frontegg import TENANT_HEADER
from auditlane.query.values import parse_address
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.log import get
from auditlane.runtime.settings import variable

_FLAG_A: Final = ord("🇦")  # an emoji flag is a country's two letters in an alphabet of their own
_BROKEN: Final = (OSError, ValueError, maxminddb.InvalidDatabaseError)
Stamp = tuple[int, int, int]


class Flag(BaseModel):
    """What their page shows beside a country; we have no picture of it."""

    country_flag: None = None
    country_flag_emoji: str | None = None


class IpLocation(BaseModel):
    """In their words; null is what is not known."""

    ip: str
    latitude: float | None = None
    longitude: float | None = None
    city: str | None = None
    country_name: str | None = None
    country_code: str | None = None
    zip: str | None = None
    location: Flag = Flag()


class GeoIp:
    """Looks addresses up in the file, read again when it was replaced. Thread-safe.

    Raises ConfigError when the file cannot be read at first; later the one that was read last stays in use.
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
                    f"{path} is no file of places: {error}", field=variable("geoip_file"), fix="Name a .mmdb file."
                ) from error

    def of(self, ip: str) -> IpLocation:
        """Where this address is, as far as the file knows."""
        if self._path is None:
            return IpLocation(ip=ip)
        with self._lock:
            try:
                self._refresh(self._path)
            except _BROKEN as error:
                get("query").error("places.unreadable", path=str(self._path), problem=str(error))
            try:
                found = self._reader.get(ip) if self._reader else None
            except _BROKEN:  # one entry that is broken, or an IPv6 address and a file of IPv4
                found = None
        return _location(ip, found)

    def _refresh(self, path: Path) -> None:
        now = path.stat()
        stamp = now.st_mtime_ns, now.st_size, now.st_ino
        if stamp != self._stamp:
            self._stamp = stamp  # before reading: one that is broken is complained of once
            self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)


def build(geoip: GeoIp, client: Callable[..., Any], *, named: Callable[[Request], str | None]) -> APIRouter:
    """The route. `client` is a dependency that gives a Principal; `named` reads the header that names a tenant."""
    router = APIRouter(include_in_schema=False)
    asks = Depends(client)

    @router.get("/metadata/ip/{ip}")
    def place(request: Request, ip: str, who: Principal = asks) -> IpLocation:
        tenant = named(request)
        if who.tenant or tenant:
            who.scope(Permission.read, tenant, header=TENANT_HEADER)
        who.require(Permission.read)
        return geoip.of(str(parse_address("ip", ip)))

    return router


def _location(ip: str, found: Any) -> IpLocation:
    """An entry of a city or a country file; what has another form is as good as not there."""
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
        location=Flag(country_flag_emoji="".join(chr(_FLAG_A + ord(one) - ord("A")) for one in code) or None),
    )


def _at(found: Any, *names: str) -> Any:
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
