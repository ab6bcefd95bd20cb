"""Tests locating addresses without a database file, with one, and after the file has been replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fixtures.places import write_places
from serving import Served

from auditlane.contract.stored_event import Event
from auditlane.query.frontegg.ip_location import location
from auditlane.query.geoip import GeoIp, country_code
from auditlane.runtime.errors import ConfigError

OSLO = {
    "city": {"names": {"en": "Oslo", "de": "Oslo"}},
    "country": {"iso_code": "NO", "names": {"en": "Norway", "de": "Norwegen"}},
    "location": {"latitude": 59.91, "longitude": 10},
    "postal": {"code": "0150"},
}
NOWHERE: dict[str, Any] = dict.fromkeys(
    ("latitude", "longitude", "city", "country_name", "country_code", "zip"), None
) | {"location": {"country_flag": None, "country_flag_emoji": None}}
IN_OSLO = {
    "ip": "192.0.2.7",
    "latitude": 59.91,
    "longitude": 10.0,
    "city": "Oslo",
    "country_name": "Norway",
    "country_code": "NO",
    "zip": "0150",
    "location": {"country_flag": None, "country_flag_emoji": "🇳🇴"},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "places.mmdb"
    write_places(path, {"192.0.2.0/24": OSLO, "2001:db8::/32": {"country": {"iso_code": "x1"}, "city": ["odd"]}})
    return path


def test_the_location_of_an_address_is_returned_over_http(file: Path, tmp_path: Path) -> None:
    with Served(tmp_path, geoip_file=file) as served:
        viewer, writer = served.viewer_token("acme"), served.client_token("writer")
        vendor = served.client_token("vendor")
        for path in ("/metadata/ip/192.0.2.7", "/metadata//ip/192.0.2.7/", "/metadata/ip/::ffff:192.0.2.7"):
            assert served.request(path, viewer).json() == IN_OSLO
        assert served.request("/metadata/ip/192.0.2.7", x_access_token=vendor).json() == IN_OSLO
        assert served.request("/metadata/ip/10.0.0.1", viewer).json() == {"ip": "10.0.0.1"} | NOWHERE
        assert served.request("/metadata/ip/2001:db8::1", viewer).json() == {"ip": "2001:db8::1"} | NOWHERE
        wrong = served.request("/metadata/ip/nowhere", viewer)
        assert (wrong.status, wrong.json()["field"]) == (400, "ip")
        assert served.request("/metadata/ip/192.0.2.7").status == 401
        assert served.request("/metadata/ip/192.0.2.7", writer).status == 403
        assert served.request("/metadata/ip/192.0.2.7", viewer, frontegg_tenant_id="other").status == 403


def test_without_a_geoip_file_locations_are_unknown(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        found = served.request("/metadata/ip/192.0.2.7", served.viewer_token("acme")).json()
    assert found == {"ip": "192.0.2.7"} | NOWHERE


def city(places: GeoIp) -> str | None:
    return location("192.0.2.7", places.entries(["192.0.2.7"]).get("192.0.2.7")).city


def test_a_replaced_file_is_loaded(file: Path) -> None:
    places = GeoIp(file)
    assert city(places) == "Oslo"
    fresh = file.with_name("fresh")
    write_places(fresh, {"192.0.2.0/24": OSLO | {"city": {"names": {"en": "Bergen"}}}})
    fresh.replace(file)
    assert city(places) == "Bergen"
    fresh.write_bytes(b"broken")
    fresh.replace(file)
    assert city(places) == "Bergen"
    file.unlink()
    assert city(places) == "Bergen"


@pytest.mark.parametrize("content", [None, b"", b"no places"])
def test_an_unreadable_file_is_reported(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "places.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        GeoIp(path)
    assert caught.value.field == "AUDITLANE_GEOIP_FILE"


def event(ip: str | None) -> Event:
    text = dict.fromkeys(Event.model_fields, "") | {
        "ip": ip,
        "ip_country": None,
        "outcome": "success",
        "severity": "Info",
    }
    return Event.model_validate(text | {"provenance": "kafka", "metadata": {}, "fields": {}, "conflict": False})


def test_events_get_the_countries_of_their_addresses(file: Path) -> None:
    events = [event(ip) for ip in ("192.0.2.7", None, "2001:db8::1", "nowhere", "10.0.0.1", "192.0.2.9")]
    located = GeoIp(file).located(events)
    assert [one.ip_country for one in located] == ["NO", None, None, None, None, "NO"]
    assert [one.ip for one in located] == [one.ip for one in events]
    assert GeoIp(None).located(events[:1])[0].ip_country is None


@pytest.mark.parametrize("code", [None, "", "no", "NOR", "N1", "ÄÖ", 7, {}])
def test_other_codes_are_unknown(code: Any) -> None:
    assert country_code({"country": {"iso_code": code}}) is None
