"""The location of an address in Frontegg's format: without a database file, with one, and after replacing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fixtures.places import write_places
from serving import Served

from auditlane.query.frontegg.geoip import GeoIp
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


def test_a_replaced_file_is_loaded(file: Path) -> None:
    places = GeoIp(file)
    assert places.of("192.0.2.7").city == "Oslo"
    fresh = file.with_name("fresh")
    write_places(fresh, {"192.0.2.0/24": OSLO | {"city": {"names": {"en": "Bergen"}}}})
    fresh.replace(file)
    assert places.of("192.0.2.7").city == "Bergen"
    fresh.write_bytes(b"broken")
    fresh.replace(file)
    assert places.of("192.0.2.7").city == "Bergen"
    file.unlink()
    assert places.of("192.0.2.7").city == "Bergen"


@pytest.mark.parametrize("content", [None, b"", b"no places"])
def test_an_unreadable_file_is_reported(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "places.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        GeoIp(path)
    assert caught.value.field == "AUDITLANE_GEOIP_FILE"
