"""Converts entries of MaxMind's city and country files to locations in Frontegg's format."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from auditlane.query.geoip import country_code, member

_FLAG_A: Final = ord("🇦")  # an emoji flag is the country's two letters in regional indicator symbols


class Flag(BaseModel):
    """A flag shown next to a country. Only its emoji is set."""

    country_flag: None = None
    country_flag_emoji: str | None = None


class IpLocation(BaseModel):
    """A location with Frontegg's member names. Unknown members are null."""

    ip: str
    latitude: float | None = None
    longitude: float | None = None
    city: str | None = None
    country_name: str | None = None
    country_code: str | None = None
    zip: str | None = None
    location: Flag = Flag()


def location(ip: str, entry: Any) -> IpLocation:
    """Convert an entry to a location. The entry is None for an unknown address. Members of an unexpected type are
    omitted.
    """
    code = country_code(entry)
    flag = "".join(chr(_FLAG_A + ord(letter) - ord("A")) for letter in code or "")
    return IpLocation(
        ip=ip,
        latitude=_number(member(entry, "location", "latitude")),
        longitude=_number(member(entry, "location", "longitude")),
        city=_text(member(entry, "city", "names", "en")),
        country_name=_text(member(entry, "country", "names", "en")),
        country_code=code,
        zip=_text(member(entry, "postal", "code")),
        location=Flag(country_flag_emoji=flag or None),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
