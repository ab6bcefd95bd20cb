"""Tests Confluent's REST API on the embedded registry, and on the registry at AUDITLANE_TEST_REGISTRY_URL."""

from __future__ import annotations

import json
import os
import threading
from typing import Any
from urllib.parse import quote

import pytest
import urllib3

GIVEN = os.environ.get("AUDITLANE_TEST_REGISTRY_URL", "")
V1 = "application/vnd.schemaregistry.v1+json"


def record(*fields: str, name: str = "R") -> str:
    """Return a record schema with string fields. A name ending in "?" makes the field optional."""
    made = [
        {"name": spec.rstrip("?"), "type": "string", **({"default": ""} if spec.endswith("?") else {})}
        for spec in fields
    ]
    return json.dumps({"type": "record", "name": name, "fields": made})


class Api:
    """Calls the registry over plain HTTP. `call` returns the status and the JSON body, `ok` requires status 200, and
    `refused` requires an error code.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.pool = urllib3.PoolManager(timeout=20)

    def raw(self, method: str, path: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {"Content-Type": V1, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.pool.request(method, f"{self.url}/{path}", body=content, headers=sent, redirect=False)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        response = self.raw(method, path, body)
        return response.status, json.loads(response.data)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.call(method, path, body)
        assert status == 200, answer
        return answer

    def refused(self, method: str, path: str, body: Any = None) -> int:
        status, answer = self.call(method, path, body)
        assert status >= 400
        assert set(answer) == {"error_code", "message"}
        assert answer["message"]
        assert str(answer["error_code"]).startswith(str(status))
        return answer["error_code"]

    def register(self, subject: str, schema: str, **extra: Any) -> int:
        return self.ok("POST", f"subjects/{quote(subject, safe='')}/versions", {"schema": schema, **extra})["id"]


@pytest.fixture(params=["embedded", *(["given"] if GIVEN else [])])
def api(request: pytest.FixtureRequest) -> Api:
    return Api(GIVEN.rstrip("/") if request.param == "given" else request.getfixturevalue("registry"))


@pytest.fixture
def subject(unique: str) -> str:
    return f"{unique}-value"


# Registering


def test_a_schema_gets_an_id_and_a_version(api: Api, subject: str, unique: str) -> None:
    first = api.register(subject, record("a", name=unique))
    second = api.register(subject, record("a", "b?", name=unique))
    assert first != second
    assert api.ok("GET", f"subjects/{subject}/versions") == [1, 2]
    latest = api.ok("GET", f"subjects/{subject}/versions/latest")
    assert {key: latest[key] for key in ("subject", "version", "id")} == {
        "subject": subject,
        "version": 2,
        "id": second,
    }
    assert json.loads(latest["schema"]) == json.loads(record("a", "b?", name=unique))
    assert "schemaType" not in latest
    assert api.ok("GET", f"subjects/{subject}/versions/-1") == latest
    assert api.ok("GET", f"subjects/{subject}/versions/1")["id"] == first
    assert subject in api.ok("GET", "subjects")


def test_the_same_schema_has_the_same_id_in_every_subject(api: Api, subject: str, unique: str) -> None:
    schema = record("a", name=unique)
    first = api.register(subject, schema)
    assert api.register(subject, schema) == first
    assert api.register(subject, json.dumps(json.loads(schema), indent=3)) == first
    assert api.register(f"{unique}-other", schema) == first
    assert api.ok("GET", f"subjects/{subject}/versions") == [1]
    assert api.ok("GET", f"schemas/ids/{first}/subjects") == sorted([subject, f"{unique}-other"])
    versions = api.ok("GET", f"schemas/ids/{first}/versions")
    assert sorted(one["subject"] for one in versions) == sorted([subject, f"{unique}-other"])
    assert {one["version"] for one in versions} == {1}


def test_concurrent_registrations_of_one_schema_assign_one_id(api: Api, unique: str) -> None:
    schema = record("a", name=unique)
    ids: list[int] = []
    start = threading.Barrier(8)

    def register(number: int) -> None:
        mine = Api(api.url)
        start.wait()
        ids.append(mine.register(f"{unique}-{number % 4}", schema))

    threads = [threading.Thread(target=register, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1


def test_a_subject_with_a_slash_a_space_and_an_umlaut(api: Api, unique: str) -> None:
    subject = f"{unique}/ä b%-value"
    schema_id = api.register(subject, '"string"')
    assert api.ok("GET", f"subjects/{quote(subject, safe='')}/versions/latest")["id"] == schema_id
    assert subject in api.ok("GET", "subjects")


@pytest.mark.parametrize(
    "schema",
    [
        "not json",
        "{}",
        '{"type": "strin"}',
        '{"type": "record", "name": "R"}',
        '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "Nobody"}]}',
        '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}',
        '{"type": "record", "name": "R R", "fields": []}',
        '{"type": "enum", "name": "E", "symbols": ["A", "A"]}',
        '["int", "int"]',
        '{"type": "fixed", "name": "F"}',
    ],
)
def test_an_invalid_schema_is_42201(api: Api, subject: str, schema: str) -> None:
    assert api.refused("POST", f"subjects/{subject}/versions", {"schema": schema}) == 42201
    assert api.refused("GET", f"subjects/{subject}/versions") == 40401


def test_another_schema_type_is_42201(api: Api, subject: str) -> None:
    if api.url == GIVEN.rstrip("/"):
        pytest.skip("a complete registry supports these types")
    for kind in ("JSON", "PROTOBUF", "THRIFT"):
        body = {"schema": "{}", "schemaType": kind}
        assert api.refused("POST", f"subjects/{subject}/versions", body) == 42201
    assert api.ok("GET", "schemas/types") == ["AVRO"]


def test_an_empty_schema_is_42201(api: Api, subject: str) -> None:
    assert api.refused("POST", f"subjects/{subject}/versions", {"schema": ""}) == 42201


def test_normalizing_unifies_two_spellings_of_a_schema(api: Api, subject: str) -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "z": 1, "b": 2}], "y": 1, "x": 2}
    other = {"x": 2, "y": 1, "type": "record", "name": "R", "fields": [{"b": 2, "z": 1, "name": "a", "type": "int"}]}
    first = api.ok("POST", f"subjects/{subject}/versions?normalize=true", {"schema": json.dumps(schema)})
    second = api.ok("POST", f"subjects/{subject}/versions?normalize=true", {"schema": json.dumps(other)})
    assert first == second
    found = api.ok("POST", f"subjects/{subject}?normalize=true", {"schema": json.dumps(other)})
    assert found["version"] == 1


@pytest.mark.parametrize("default", [None, 1, []])
def test_normalizing_rejects_a_default_of_another_type(api: Api, subject: str, default: Any) -> None:
    field = {"name": "a", "type": "string", "default": default}
    body = {"schema": json.dumps({"type": "record", "name": "R", "fields": [field]})}
    assert api.refused("POST", f"subjects/{subject}/versions?normalize=true", body) == 42201
    path = f"compatibility/subjects/{subject}/versions?normalize=true&verbose=true"
    answer = api.ok("POST", path, body)
    assert answer["is_compatible"] is False
    assert "Invalid schema" in answer["messages"][0]


# Looking up


def test_a_schema_can_be_looked_up_by_its_text(api: Api, subject: str, unique: str) -> None:
    schema = record("a", name=unique)
    assert api.refused("POST", f"subjects/{subject}", {"schema": schema}) == 40401
    schema_id = api.register(subject, schema)
    found = api.ok("POST", f"subjects/{subject}", {"schema": schema})
    assert (found["subject"], found["version"], found["id"]) == (subject, 1, schema_id)
    assert api.refused("POST", f"subjects/{subject}", {"schema": record("b", name=unique)}) == 40403


def test_a_schema_can_be_read_by_its_id(api: Api, subject: str, unique: str) -> None:
    schema_id = api.register(subject, record("a", name=unique))
    answer = api.ok("GET", f"schemas/ids/{schema_id}")
    assert json.loads(answer["schema"]) == json.loads(record("a", name=unique))
    assert api.ok("GET", f"schemas/ids/{schema_id}/schema") == json.loads(answer["schema"])
    assert api.ok("GET", f"subjects/{subject}/versions/1/schema") == json.loads(answer["schema"])


@pytest.mark.parametrize("path", ["", "/subjects", "/versions", "/schema"])
def test_an_unknown_id_is_40403(api: Api, path: str) -> None:
    assert api.refused("GET", f"schemas/ids/2000000000{path}") == 40403


def test_missing_subjects_and_versions(api: Api, subject: str) -> None:
    assert api.refused("GET", f"subjects/{subject}/versions") == 40401
    assert api.refused("GET", f"subjects/{subject}/versions/1") == 40401
    assert api.refused("DELETE", f"subjects/{subject}") == 40401
    assert api.refused("DELETE", f"subjects/{subject}/versions/1") == 40401
    api.register(subject, '"string"')
    assert api.refused("GET", f"subjects/{subject}/versions/2") == 40402
    assert api.refused("DELETE", f"subjects/{subject}/versions/2") == 40402


@pytest.mark.parametrize("version", ["0", "-2", "earliest", "2147483648", "1.5"])
def test_an_invalid_version_is_42202(api: Api, subject: str, version: str) -> None:
    api.register(subject, '"string"')
    assert api.refused("GET", f"subjects/{subject}/versions/{version}") == 42202
    assert api.refused("DELETE", f"subjects/{subject}/versions/{version}") == 42202
    path = f"compatibility/subjects/{subject}/versions/{version}"
    assert api.refused("POST", path, {"schema": '"string"'}) == 42202


# Deleting


def test_soft_delete_hides_a_version_and_keeps_its_schema(api: Api, subject: str, unique: str) -> None:
    schema = record("a", name=unique)
    schema_id = api.register(subject, schema)
    api.register(subject, record("a", "b?", name=unique))
    assert api.ok("DELETE", f"subjects/{subject}/versions/1") == 1
    assert api.refused("DELETE", f"subjects/{subject}/versions/1") == 40406
    assert api.ok("GET", f"subjects/{subject}/versions") == [2]
    assert api.ok("GET", f"subjects/{subject}/versions?deleted=true") == [1, 2]
    assert api.ok("GET", f"subjects/{subject}/versions?deletedOnly=true") == [1]
    assert api.refused("GET", f"subjects/{subject}/versions/1") == 40402
    assert api.ok("GET", f"subjects/{subject}/versions/1?deleted=true")["id"] == schema_id
    assert api.refused("POST", f"subjects/{subject}", {"schema": schema}) == 40403
    assert api.ok("POST", f"subjects/{subject}?deleted=true", {"schema": schema})["version"] == 1
    assert json.loads(api.ok("GET", f"schemas/ids/{schema_id}")["schema"]) == json.loads(schema)
    assert api.ok("GET", f"schemas/ids/{schema_id}/subjects") == []
    assert api.ok("GET", f"schemas/ids/{schema_id}/subjects?deleted=true") == [subject]


def test_a_schema_registered_again_keeps_its_id_and_gets_a_new_version(api: Api, subject: str, unique: str) -> None:
    schema = record("a", name=unique)
    schema_id = api.register(subject, schema)
    assert api.ok("DELETE", f"subjects/{subject}") == [1]
    assert api.refused("DELETE", f"subjects/{subject}") == 40404
    assert subject not in api.ok("GET", "subjects")
    assert subject in api.ok("GET", "subjects?deleted=true")
    assert subject in api.ok("GET", "subjects?deletedOnly=true")
    assert api.refused("GET", f"subjects/{subject}/versions") == 40401
    assert api.register(subject, schema) == schema_id
    assert api.ok("GET", f"subjects/{subject}/versions") == [2]
    assert api.ok("GET", f"subjects/{subject}/versions?deleted=true") == [2]


def test_permanent_delete_requires_a_soft_delete_and_ids_are_not_reused(api: Api, subject: str, unique: str) -> None:
    schema = record("a", name=unique)
    schema_id = api.register(subject, schema)
    assert api.refused("DELETE", f"subjects/{subject}?permanent=true") == 40405
    assert api.refused("DELETE", f"subjects/{subject}/versions/1?permanent=true") == 40407
    api.ok("DELETE", f"subjects/{subject}/versions/1")
    assert api.ok("DELETE", f"subjects/{subject}/versions/1?permanent=true") == 1
    assert api.refused("GET", f"schemas/ids/{schema_id}") == 40403
    assert api.refused("GET", f"subjects/{subject}/versions?deleted=true") == 40401
    again = api.register(subject, schema)
    assert again > schema_id
    api.ok("DELETE", f"subjects/{subject}")
    assert api.ok("DELETE", f"subjects/{subject}?permanent=true") == [1]


# Compatibility


def test_registration_enforces_every_compatibility_level(api: Api, unique: str) -> None:
    old, may_add, must_add = record("a"), record("a", "b?"), record("a", "b")
    allowed = {
        "BACKWARD": (may_add,),
        "BACKWARD_TRANSITIVE": (may_add,),
        "FORWARD": (may_add, must_add),
        "FORWARD_TRANSITIVE": (may_add, must_add),
        "FULL": (may_add,),
        "FULL_TRANSITIVE": (may_add,),
        "NONE": (may_add, must_add, '"int"'),
    }
    for level, good in allowed.items():
        for number, schema in enumerate((may_add, must_add, '"int"')):
            subject = f"{unique}-{level}-{number}"
            api.register(subject, old)
            assert api.ok("PUT", f"config/{subject}", {"compatibility": level}) == {"compatibility": level}
            check = api.ok("POST", f"compatibility/subjects/{subject}/versions/latest", {"schema": schema})
            assert check == {"is_compatible": schema in good}, (level, schema)
            if schema in good:
                api.register(subject, schema)
            else:
                assert api.refused("POST", f"subjects/{subject}/versions", {"schema": schema}) == 409


@pytest.mark.parametrize("level", ["BACKWARD", "FORWARD", "FULL"])
def test_transitive_levels_check_every_live_version(api: Api, unique: str, level: str) -> None:
    other_x = {"name": "x", "type": "int", "default": 0}
    third = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}, other_x]}
    backward = (record("a", "x?"), record("a"), json.dumps(third))
    for transitive in (False, True):
        subject = f"{unique}-{transitive}"
        api.register(subject, backward[0])
        api.register(subject, backward[1])
        api.ok("PUT", f"config/{subject}", {"compatibility": level + ("_TRANSITIVE" if transitive else "")})
        body = {"schema": backward[2]}
        path = f"compatibility/subjects/{subject}/versions"
        assert api.ok("POST", path, body)["is_compatible"] is not transitive
        assert api.ok("POST", f"{path}/latest", body)["is_compatible"] is True
        assert api.ok("POST", f"{path}/1", body)["is_compatible"] is False
        if transitive:
            assert api.refused("POST", f"subjects/{subject}/versions", body) == 409
            api.ok("DELETE", f"subjects/{subject}/versions/1")
        api.register(subject, backward[2])


def test_verbose_compatibility_returns_reasons(api: Api, subject: str) -> None:
    api.register(subject, record("a"))
    path = f"compatibility/subjects/{subject}/versions/latest?verbose=true"
    assert api.ok("POST", path, {"schema": record("a", "b?")}) == {"is_compatible": True, "messages": []}
    answer = api.ok("POST", path, {"schema": record("a", "b")})
    assert answer["is_compatible"] is False
    assert any("READER_FIELD_MISSING_DEFAULT_VALUE" in one and "/fields/1" in one for one in answer["messages"])
    status, refusal = api.call("POST", f"subjects/{subject}/versions", {"schema": record("a", "b")})
    assert status == 409
    assert f'incompatible with an earlier schema for subject "{subject}"' in refusal["message"]
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in refusal["message"]


def test_compatibility_with_missing_versions(api: Api, subject: str) -> None:
    path = f"compatibility/subjects/{subject}/versions"
    body = {"schema": '"string"'}
    assert api.ok("POST", f"{path}/latest", body) == {"is_compatible": True}
    assert api.ok("POST", path, body) == {"is_compatible": True}
    api.register(subject, '"string"')
    assert api.refused("POST", f"{path}/100", body) == 40402
    assert api.refused("POST", f"{path}/latest", {"schema": "nonsense"}) == 42201


# Settings


def test_compatibility_is_set_inherited_and_deleted(api: Api, subject: str) -> None:
    top = api.ok("GET", "config")["compatibilityLevel"]
    assert api.refused("GET", f"config/{subject}") == 40408
    assert api.ok("GET", f"config/{subject}?defaultToGlobal=true")["compatibilityLevel"] == top
    assert api.refused("DELETE", f"config/{subject}") == 40401
    assert api.ok("PUT", f"config/{subject}", {"compatibility": "FULL"}) == {"compatibility": "FULL"}
    assert api.ok("GET", f"config/{subject}")["compatibilityLevel"] == "FULL"
    assert api.refused("PUT", f"config/{subject}", {"compatibility": "SIDEWAYS"}) == 42203
    assert api.refused("PUT", "config", {"compatibility": "SIDEWAYS"}) == 42203
    assert api.ok("DELETE", f"config/{subject}")["compatibilityLevel"] == "FULL"
    assert api.refused("GET", f"config/{subject}") == 40408


def test_deleting_a_subject_deletes_its_settings(api: Api, subject: str) -> None:
    api.register(subject, '"string"')
    api.ok("PUT", f"config/{subject}", {"compatibility": "NONE"})
    api.ok("DELETE", f"subjects/{subject}")
    assert api.refused("GET", f"config/{subject}") == 40408


def test_mode_of_a_subject(api: Api, subject: str, unique: str) -> None:
    assert api.ok("GET", "mode") == {"mode": "READWRITE"}
    assert api.refused("GET", f"mode/{subject}") == 40409
    assert api.ok("GET", f"mode/{subject}?defaultToGlobal=true") == {"mode": "READWRITE"}
    schema_id = api.register(subject, record("a", name=unique))
    assert api.ok("PUT", f"mode/{subject}", {"mode": "READONLY"}) == {"mode": "READONLY"}
    assert api.ok("GET", f"mode/{subject}") == {"mode": "READONLY"}
    assert api.register(subject, record("a", name=unique)) == schema_id
    new = {"schema": record("a", "b?", name=unique)}
    assert api.refused("POST", f"subjects/{subject}/versions", new) == 42205
    assert api.refused("DELETE", f"subjects/{subject}") == 42205
    assert api.refused("DELETE", f"subjects/{subject}/versions/1") == 42205
    assert api.refused("PUT", f"config/{subject}", {"compatibility": "NONE"}) == 42205
    assert api.refused("PUT", f"mode/{subject}", {"mode": "IMPORT"}) == 42205
    assert api.refused("PUT", f"mode/{subject}", {"mode": "SIDEWAYS"}) == 42204
    assert api.ok("DELETE", f"mode/{subject}") == {"mode": "READONLY"}
    assert api.refused("DELETE", f"mode/{subject}") == 40401
    api.register(subject, new["schema"])


def test_import_mode_keeps_the_given_id_and_version(api: Api, subject: str, unique: str) -> None:
    schema, forced = record("a", name=unique), api.register(f"{unique}-probe", record("p", name=unique)) + 1000
    body = {"schema": schema, "id": forced, "version": 7}
    assert api.refused("POST", f"subjects/{subject}/versions", body) == 42205
    api.ok("PUT", f"mode/{subject}", {"mode": "IMPORT"})
    assert api.ok("POST", f"subjects/{subject}/versions", body) == {"id": forced}
    assert api.ok("GET", f"subjects/{subject}/versions") == [7]
    other = {"schema": record("b", name=unique), "id": forced, "version": 8}
    assert api.refused("POST", f"subjects/{subject}/versions", other) == 42205
    api.ok("PUT", f"mode/{subject}", {"mode": "READWRITE"})
    assert api.register(subject, record("a", "b?", name=unique)) > forced
    assert api.ok("GET", f"subjects/{subject}/versions") == [7, 8]


# References


def test_a_record_may_refer_to_another_subject(api: Api, unique: str) -> None:
    address = json.dumps({"type": "record", "name": f"Address{unique}", "namespace": "n", "fields": []})
    person = json.dumps(
        {
            "type": "record",
            "name": f"Person{unique}",
            "namespace": "n",
            "fields": [{"name": "home", "type": f"Address{unique}"}, {"name": "work", "type": f"n.Address{unique}"}],
        }
    )
    references = [{"name": f"n.Address{unique}", "subject": f"{unique}-address", "version": 1}]
    lacking = {"schema": person, "references": references}
    assert api.refused("POST", f"subjects/{unique}-person/versions", {"schema": person}) == 42201
    assert api.refused("POST", f"subjects/{unique}-person/versions", lacking) == 42201
    api.register(f"{unique}-address", address)
    schema_id = api.register(f"{unique}-person", person, references=references)
    stored = api.ok("GET", f"schemas/ids/{schema_id}")
    assert stored["references"] == references
    assert [field["type"] for field in json.loads(stored["schema"])["fields"]] == [f"Address{unique}"] * 2
    assert api.ok("GET", f"subjects/{unique}-person/versions/1")["references"] == references
    assert api.ok("POST", f"subjects/{unique}-person", lacking)["id"] == schema_id
    assert api.ok("GET", f"subjects/{unique}-address/versions/1/referencedby") == [schema_id]
    assert api.refused("DELETE", f"subjects/{unique}-address") == 42206
    assert api.refused("DELETE", f"subjects/{unique}-address/versions/1") == 42206
    api.ok("DELETE", f"subjects/{unique}-person")
    assert api.ok("DELETE", f"subjects/{unique}-address") == [1]
    assert api.refused("POST", f"subjects/{unique}-person/versions", lacking) == 42201
    api.ok("DELETE", f"subjects/{unique}-address?permanent=true")
    assert api.refused("POST", f"subjects/{unique}-person?deleted=true", lacking) == 42201
    assert api.refused("POST", f"subjects/{unique}-person?deleted=true", {"schema": '"int"'}) == 40403


# Lists


def test_lists_support_paging_and_a_prefix(api: Api, unique: str) -> None:
    names = [f"{unique}-{number}" for number in range(5)]
    for name in names:
        api.register(name, '"string"')
    assert api.ok("GET", f"subjects?subjectPrefix={unique}") == names
    assert api.ok("GET", f"subjects?subjectPrefix={unique}&offset=1&limit=2") == names[1:3]
    assert api.ok("GET", f"subjects?subjectPrefix={unique}&offset=4&limit=9") == names[4:]
    schemas = api.ok("GET", f"schemas?subjectPrefix={unique}&latestOnly=true&limit=3")
    assert [one["subject"] for one in schemas] == names[:3]
    assert {one["schema"] for one in schemas} == {'"string"'}


# HTTP


def test_content_types_are_negotiated(api: Api, subject: str) -> None:
    assert api.raw("GET", "subjects").headers["Content-Type"] == V1
    assert api.raw("GET", "subjects", Accept=V1).headers["Content-Type"] == V1
    plain = api.raw("GET", "subjects", Accept="application/json")
    assert plain.headers["Content-Type"] == "application/json"
    chosen = api.raw("GET", "subjects", Accept="application/json;q=0.5, application/vnd.schemaregistry+json")
    assert chosen.headers["Content-Type"] == "application/vnd.schemaregistry+json"
    assert api.raw("GET", "subjects", Accept="text/html").status == 406
    body = json.dumps({"schema": '"string"'}).encode()
    path = f"subjects/{subject}/versions"
    for kind in (V1, "application/vnd.schemaregistry+json", "application/json; charset=utf-8"):
        assert api.raw("POST", path, body, Content_Type=kind).status == 200
    assert api.raw("POST", path, body, Content_Type="text/plain").status == 415


def test_an_unknown_path_or_method(api: Api) -> None:
    assert api.raw("GET", "nothing/here").status == 404
    assert api.raw("DELETE", "subjects").status == 405
    assert api.raw("GET", "schemas/ids/abc").status == 404
    assert api.ok("GET", "") == {}
    assert "." in api.ok("GET", "contexts")


@pytest.mark.parametrize("body", [b"{", b'"text"', b"[]"])
def test_a_body_that_is_not_an_object_is_refused(api: Api, subject: str, body: bytes) -> None:
    response = api.raw("POST", f"subjects/{subject}/versions", body)
    assert response.status in (400, 422)
    assert json.loads(response.data)["message"]


def test_unknown_fields_are_refused_unless_the_client_asks_otherwise(api: Api, subject: str) -> None:
    body = json.dumps({"schema": '"string"', "surprise": 1}).encode()
    path = f"subjects/{subject}/versions"
    assert api.raw("POST", path, body).status == 422
    assert api.raw("POST", path, body, Confluent_Accept_Unknown_Properties="true").status == 200
