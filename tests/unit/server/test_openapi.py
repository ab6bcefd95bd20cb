"""Tests the OpenAPI document. Every route declares each status that it can return, with a valid example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from auditlane.access.keys import KeysFile
from auditlane.query.export.formats import Format
from auditlane.runtime.errors import AuditlaneError, http_status
from auditlane.runtime.settings import load
from auditlane.server.app import create_app
from auditlane.server.openapi.errors import listed
from auditlane.server.problems import HTTP_CODES, MEDIA_TYPE

BINARY = {Format.xlsx.media_type, Format.parquet.media_type, Format.pdf.media_type}
ANY, READS, CHANGES = "400 401 403 429 500 503", "400 401 403 429 500 502 503", "408 409 411 412 413"
BODY = "408 411 413"
BINARY = {format_.media_type for format_ in (Format.parquet, Format.pdf, Format.xlsx)}
EXPECTED = {
    "POST /v1/token": f"200 400 401 500 {BODY} 429",
    "POST /v1/viewer-tokens": f"200 {ANY} {BODY} 429",
    "GET /enter": "200 400 401 403 429 500 503",
    "POST /enter": f"303 {READS} {BODY}",
    "POST /v1/events": f"202 207 {READS} 408 413 415 429",
    "POST /v1/test-event": f"202 {READS} {BODY} 429",
    "GET /v1/session": f"200 {READS}",
    "GET /v1/events": f"200 {READS} 429",
    "GET /v1/events/stream": f"200 {READS} 429",
    "GET /v1/events/{event_id}": f"200 {READS} 404 429",
    "GET /v1/check": f"200 {READS}",
    "GET /v1/facets": f"200 {READS} 429",
    "GET /v1/histogram": f"200 {READS} 429",
    "GET /v1/stats": f"200 {READS} 429",
    "GET /v1/stats/groups": f"200 {READS} 429",
    "GET /v1/export": f"200 {READS}",
    "GET /v1/last-download": f"200 {READS}",
    "POST /v1/export-links": f"200 {READS} {BODY}",
    "GET /v1/download": f"200 {READS} 404 409 416",
    "POST /v1/exports": f"202 {READS} {BODY} 409",
    "GET /v1/exports": f"200 {READS}",
    "GET /v1/exports/{export_id}": f"200 {READS} 404",
    "DELETE /v1/exports/{export_id}": f"204 {READS} 404",
    "GET /v1/exports/{export_id}/file": f"200 206 {READS} 404 409 416",
    "GET /v1/admin/tenants": f"200 {READS}",
    "GET /v1/admin/lag": f"200 {ANY} 404",
    "GET /v1/admin/rate": f"200 {ANY}",
    "GET /v1/admin/dead-letters": f"200 {ANY} 404",
    "GET /v1/admin/health": f"200 {ANY}",
    "GET /v1/admin/history": f"200 {READS}",
    "GET /v1/admin/timeline": f"200 {READS}",
    "POST /v1/admin/console-links": f"200 {ANY} {BODY}",
    "GET /health/live": "200 403",
    "GET /health/ready": "200 403 503",
    "GET /metrics": "200 403",
}
for place in ("/v1/structure", "/v1/tenants/{tenant}/structure"):
    EXPECTED |= {
        f"GET {place}": f"200 {READS}",
        f"PUT {place}": f"200 {READS} {CHANGES} 428",
        f"GET {place}/fields": f"200 {READS}",
        f"POST {place}/fields": f"201 {READS} {CHANGES}",
        f"PUT {place}/fields/{{name}}": f"200 {READS} {CHANGES} 404 428",
        f"DELETE {place}/fields/{{name}}": f"204 {READS} 404 409 412",
        f"GET {place}/actions": f"200 {READS}",
        f"GET {place}/history": f"200 {READS}",
    }
EXPECTED |= {
    "GET /v1/views": f"200 {READS}",
    "POST /v1/views": f"201 {READS} 409 {BODY}",
    "GET /v1/views/{view_id}": f"200 {READS} 404",
    "PUT /v1/views/{view_id}": f"200 {READS} {CHANGES} 404 428",
    "DELETE /v1/views/{view_id}": f"204 {READS} 404 409 412",
    "POST /v1/structure/actions": f"200 {READS} {CHANGES}",
    "DELETE /v1/structure/actions/{name}": f"204 {READS} 404 409 412",
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("openapi")
    KeysFile.load_or_create(folder / "keys.json")
    files = {"keys_file": folder / "keys.json", "signing_keys_file": folder / "signing-keys.json"}
    nowhere = {"clickhouse_url": "http://127.0.0.1:1", "registry_url": "http://127.0.0.1:1"}
    return create_app(load(kafka_bootstrap="127.0.0.1:1", **nowhere, **files)).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_declares_its_responses(document):
    declared = {route: set(one["responses"]) for route, one in operations(document)}
    assert declared == {route: set(statuses.split()) for route, statuses in EXPECTED.items()}
    assert all(listed(*route.split(" ", 1)) for route in declared)
    assert not listed("GET", "/v1/nothing")
    assert not listed("GET", "/v1/structure/nothing")


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    _, kind, name = value["$ref"].removeprefix("#/").split("/")
    return dict(document["components"][kind][name])


def invalid(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    whole = schema | {"components": {"schemas": document["components"]["schemas"]}}
    return [
        f"{error.instance_path}: {error.message}" for error in jsonschema_rs.validator_for(whole).iter_errors(value)
    ]


def test_every_response_has_a_valid_example(document):
    assert invalid(document, {"$ref": "#/components/schemas/Job"}, {"id": 1}), "invalid examples are detected"
    for route, operation in operations(document):
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                if media_type in BINARY:
                    continue  # the body is not text
                shown = [content["example"]] if "example" in content else []
                shown += [resolved(document, one)["value"] for one in content.get("examples", {}).values()]
                assert shown, f"{route} {status} {media_type}"
                for example in shown:
                    assert not invalid(document, content["schema"], example), f"{route} {status}"
                    extra = example.keys() - model(document, content) if isinstance(example, dict) else None
                    assert not extra, f"{route} {status}: {extra}"


def model(document: dict[str, Any], content: dict[str, Any]) -> set[str]:
    return set(resolved(document, content["schema"])["properties"])


def test_a_problems_example_matches_its_code(document):
    classes = {one.code: one for one in descendants(AuditlaneError)}
    of_http = {code: status for status, (code, _) in HTTP_CODES.items()}
    for code, example in document["components"]["examples"].items():
        problem = example["value"]
        assert problem["code"] == code
        assert problem["status"] == (http_status(classes[code]) if code in classes else of_http[code])
    for route, operation in operations(document):
        for status, response in operation["responses"].items():
            for code in response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {}):
                assert document["components"]["examples"][code]["value"]["status"] == int(status), route


def descendants(error: type[AuditlaneError]) -> Iterator[type[AuditlaneError]]:
    for child in error.__subclasses__():
        yield from descendants(child)
    yield error
