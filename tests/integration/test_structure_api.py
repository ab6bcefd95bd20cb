"""Tests the data structure over HTTP on the real registry and engine: permissions, storage, conflicts and history."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from serving import Served

from auditlane.access.permissions import Permission
from auditlane.contract.registry import RegistryClient
from auditlane.contract.subjects import ensure_base_subject
from auditlane.contract.tenant_contract import TenantContract
from auditlane.runtime.settings import load
from auditlane.store.client import connect
from auditlane.store.migrate import migrate


class Api:
    """A served app, with a topic and a database for this module only. `tenant()` returns a tenant id that has not been
    used.
    """

    def __init__(self, served: Served, registry: RegistryClient, topic: str) -> None:
        self.served = served
        self.registry = registry
        self.topic = topic
        self.vendor = served.client_token("vendor")

    def call(self, method: str, path: str, body: Any = None, *, token: str = "", **headers: str) -> Any:
        return self.served.request(path, token or self.vendor, method=method, body=body, **headers)

    def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self.call(method, path, body, **headers)
        assert answer.status in (200, 201, 204), answer.data
        return answer.json() if answer.data else None

    def refused(self, status: int, code: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self.call(method, path, body, **headers)
        assert (answer.status, answer.json().get("code")) == (status, code), answer.data
        return answer.json()

    def contract(self, tenant: str) -> TenantContract:
        return TenantContract.parse(self.registry.latest(f"{self.topic}.{tenant}-value").schema)


@pytest.fixture(scope="module")
def api(clickhouse: str, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    name = f"t{uuid4().hex[:12]}"
    with contextlib.closing(connect(load(clickhouse_url=clickhouse))) as client:
        migrate(client, name)
    names = RegistryClient(registry)
    ensure_base_subject(names, name)
    settings = {"clickhouse_url": clickhouse, "clickhouse_database": name, "registry_url": registry, "topic": name}
    with Served(tmp_path_factory.mktemp("served"), **settings) as served:
        yield Api(served, names, name)
    names.close()


@pytest.fixture
def tenant() -> str:
    return f"a{uuid4().hex[:8]}"


@pytest.fixture
def path(tenant: str) -> str:
    return f"/v1/tenants/{tenant}/structure"


def by_name(structure: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one for one in structure["fields"]}


def test_the_structure_of_a_new_tenant(api: Api, path: str, tenant: str) -> None:
    answer = api.call("GET", path)
    structure = answer.json()
    assert (structure["tenant"], structure["revision"], structure["enabled"]) == (tenant, 0, None)
    assert structure["effectiveEnabled"] is True
    assert structure["inheritedEnabled"] is True
    time = by_name(structure)["occurred_at"]
    assert time["displayType"] == "Timestamp"
    assert time["inherited"].items() <= time.items()
    assert answer.headers["etag"]
    assert api.ok("GET", f"{path}/history") == {"data": [], "next": None}


def test_an_environment_names_its_actions(api: Api, path: str, tenant: str) -> None:
    shared = "/v1/structure/actions"
    answer = api.call("GET", f"{path}/actions")
    known = {one["name"]: one for one in answer.json()["actions"]}
    assert known["user.login"]["builtIn"] is True
    name = f"invoice.paid by {tenant}"
    label = {"en": "Invoice paid", "de": "Rechnung bezahlt"}
    body = {"actions": [{"name": name, "label": label}]}
    reader = api.served.viewer_token(tenant, Permission.read, Permission.configure, Permission.contract)
    api.refused(403, "TENANT_FORBIDDEN", "POST", shared, body, token=reader)
    api.refused(412, "PRECONDITION_FAILED", "POST", shared, body, if_match='"nothing"')
    api.refused(400, "INPUT_INVALID", "POST", shared, {"actions": [{"name": name, "label": {"en": "Invoice paid"}}]})
    changed = api.call("POST", shared, body, if_match=answer.headers["etag"])
    assert (changed.status, changed.headers["etag"] != answer.headers["etag"]) == (200, True)
    seen = api.call("GET", f"{path}/actions", token=reader)
    assert seen.headers["etag"] == changed.headers["etag"]
    own = [one for one in seen.json()["actions"] if one["own"]]
    assert own == [{"name": name, "label": label, "own": True, "builtIn": False, "sentence": None, "attempted": None}]
    again = api.call("POST", shared, body)
    assert again.headers["etag"] == changed.headers["etag"], "nothing was changed"
    [entry] = api.ok("GET", "/v1/structure/history?limit=1")["data"]
    assert [(one["kind"], one["field"], one["action"]) for one in entry["changes"]] == [("added", None, name)]
    api.ok("DELETE", f"{shared}/{quote(name)}")
    api.refused(404, "NOT_FOUND", "DELETE", f"{shared}/{quote(name)}")
    assert [one for one in api.ok("GET", f"{path}/actions")["actions"] if one["own"]] == []


def test_a_field_is_added_shown_and_required(api: Api, path: str, tenant: str) -> None:
    field = {
        "name": "order_number",
        "displayName": "Order",
        "type": "string",
        "rules": {"required": True, "maxLength": 20, "pattern": "[A-Z]{2}-[0-9]+"},
        "showInTable": False,
    }
    answer = api.call("POST", f"{path}/fields", field)
    assert answer.status == 201, answer.data
    shown = by_name(answer.json())["order_number"]
    assert shown["parameter"] == "fields.order_number"
    assert (shown["custom"], shown["origin"], shown["showInTable"], shown["downloadable"]) == (
        True,
        "tenant",
        False,
        True,
    )
    assert shown["inherited"] is None
    (own,) = api.contract(tenant).own
    assert (own.rules.required, own.rules.pattern and own.rules.pattern.text) == (True, "[A-Z]{2}-[0-9]+")
    contract = api.ok("GET", f"{path}/fields")
    assert contract["subject"] == f"{api.topic}.{tenant}-value"
    assert contract["exclusive"] is False
    assert contract["fields"][0]["rules"] == {"required": True, "maxLength": 20, "pattern": "[A-Z]{2}-[0-9]+"}
    again = api.call("POST", f"{path}/fields", field)  # adding the same field again is not an error
    assert (again.status, again.headers["etag"]) == (201, answer.headers["etag"])
    api.refused(409, "FIELD_CONFLICT", "POST", f"{path}/fields", field | {"displayName": "Other"})
    api.refused(409, "FIELD_CONFLICT", "POST", f"{path}/fields", field | {"rules": {}})
    assert api.ok("GET", path)["revision"] == 1


def test_a_field_is_removed_kept_and_restored(api: Api, path: str, tenant: str) -> None:
    field = {"name": "amount", "displayName": "Amount", "type": "Number", "rules": {"required": True, "minimum": 0}}
    api.ok("POST", f"{path}/fields", field)
    assert api.call("DELETE", f"{path}/fields/amount").status == 204
    structure = api.ok("GET", path)
    assert "amount" not in by_name(structure)
    assert [one["name"] for one in structure["removed"]] == ["amount"]
    assert not api.contract(tenant).ruled  # producers may omit the field
    assert [one.name for one in api.contract(tenant).own] == ["amount"]
    api.refused(404, "NOT_FOUND", "DELETE", f"{path}/fields/amount")
    api.refused(409, "FIELD_CONFLICT", "POST", f"{path}/fields", field | {"type": "Boolean", "rules": {}})
    assert by_name(api.ok("POST", f"{path}/fields", field))["amount"]["displayName"] == "Amount"
    assert api.contract(tenant).ruled
    api.refused(409, "FIELD_CONFLICT", "DELETE", f"{path}/fields/action")
    kinds = [change["kind"] for one in api.ok("GET", f"{path}/history")["data"] for change in one["changes"]]
    assert kinds == ["restored", "removed", "added"]


def test_two_names_must_not_differ_only_in_case(api: Api, path: str, tenant: str) -> None:
    where, name = f"{path}/fields", f"total_{tenant}"
    api.ok("POST", where, {"name": name})
    for other in (name.title(), name.upper(), "Action"):
        problem = api.refused(409, "FIELD_CONFLICT", "POST", where, {"name": other})
        assert problem["field"] == "name"
    api.ok("DELETE", f"{where}/{name}")
    api.refused(409, "FIELD_CONFLICT", "POST", where, {"name": name.title()})  # since the removed field can be restored
    api.ok("POST", where, {"name": name})


def test_a_default_is_set_and_removed(api: Api, path: str) -> None:
    field = {"name": "region", "displayName": "Region", "default": "eu", "rules": {"maxLength": 5}}
    api.ok("POST", f"{path}/fields", field)
    api.ok("PUT", f"{path}/fields/region", {"displayName": "Where"}, if_match="*")
    (kept,) = api.ok("GET", f"{path}/fields")["fields"]
    assert (kept["default"], kept["displayName"]) == ("eu", "Where")
    api.ok("PUT", f"{path}/fields/region", {"default": None}, if_match="*")
    (ended,) = api.ok("GET", f"{path}/fields")["fields"]
    assert (ended["default"], ended["rules"]) == (None, {"maxLength": 5})


def test_the_second_of_two_editors_gets_a_conflict(api: Api, path: str) -> None:
    seen = api.call("GET", path)
    etag, body = seen.headers["etag"], seen.json()
    next(one for one in body["fields"] if one["name"] == "ip")["showInTable"] = False
    api.refused(428, "PRECONDITION_REQUIRED", "PUT", path, body)
    first = api.call("PUT", path, body, if_match=etag)
    assert first.status == 200, first.data
    ip = by_name(first.json())["ip"]
    assert (ip["showInTable"], ip["inherited"]["showInTable"]) == (False, True)
    api.refused(412, "PRECONDITION_FAILED", "PUT", path, body | {"enabled": False}, if_match=etag)
    api.refused(412, "PRECONDITION_FAILED", "POST", f"{path}/fields", {"name": "x"}, if_match=etag)
    api.ok("PUT", path, {"enabled": False}, if_match=first.headers["etag"])
    structure = api.ok("PUT", path, {"fields": []}, if_match="*")
    assert (structure["enabled"], structure["effectiveEnabled"]) == (False, False)  # omitted fields stay unchanged
    assert by_name(structure)["ip"]["showInTable"] is True
    assert api.ok("PUT", path, {"enabled": None}, if_match="*")["effectiveEnabled"] is True
    revisions = api.ok("GET", f"{path}/history?limit=3")
    assert [one["revision"] for one in revisions["data"]] == [4, 3, 2]
    (last,) = api.ok("GET", f"{path}/history?before={revisions['next']}")["data"]
    assert last["changes"] == [
        {"kind": "changed", "field": "ip", "action": None, "values": {"showInTable": [True, False]}}
    ]
    assert last["changedBy"]
    assert last["changedAt"]


def test_one_of_many_editors_of_a_revision_wins(api: Api, path: str) -> None:
    etag = api.call("GET", path).headers["etag"]

    def save(number: int) -> int:
        body = {"fields": [{"name": "action", "displayName": f"Action {number}"}]}
        return int(api.call("PUT", path, body, if_match=etag).status)

    with ThreadPoolExecutor(5) as pool:
        assert sorted(pool.map(save, range(5))) == [200, 412, 412, 412, 412]
    assert api.ok("GET", path)["revision"] == 1


def test_all_concurrently_added_fields_are_kept(api: Api, path: str, tenant: str) -> None:
    def add(number: int) -> int:
        return int(api.call("POST", f"{path}/fields", {"name": f"f{number}", "displayName": f"F {number}"}).status)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(add, range(4))) == {201}
    assert {f"f{number}" for number in range(4)} <= by_name(api.ok("GET", path)).keys()
    assert {one.name for one in api.contract(tenant).own} == {f"f{number}" for number in range(4)}


def test_an_environment_wide_field_applies_to_every_tenant(api: Api, path: str, tenant: str) -> None:
    api.ok("POST", f"{path}/fields", {"name": "own", "displayName": "Own"})
    name = f"region_{tenant}"
    structure = api.ok("POST", "/v1/structure/fields", {"name": name, "displayName": "Region", "type": "Enum",
                                                         "rules": {"oneOf": ["eu", "us"]}})  # fmt: skip
    assert structure["tenant"] is None
    assert {one.name for one in api.contract(tenant).own} >= {"own", name}
    assert by_name(api.ok("GET", path))[name]["origin"] == "environment"
    other = f"/v1/tenants/{tenant}x/structure"
    assert name in by_name(api.ok("GET", other))
    api.refused(409, "FIELD_CONFLICT", "POST", f"{other}/fields", {"name": name, "type": "Number"})
    etag = api.call("GET", "/v1/structure").headers["etag"]
    changed = {"rules": {"oneOf": ["eu", "us", "asia"]}, "displayName": "Where"}
    api.ok("PUT", f"/v1/structure/fields/{name}", changed, if_match=etag)
    rules = next(one for one in api.contract(tenant).own if one.name == name).rules
    assert rules.one_of == ("eu", "us", "asia")
    assert by_name(api.ok("GET", path))[name]["displayName"] == "Where"
    api.ok("DELETE", f"{other}/fields/{name}")
    assert name not in by_name(api.ok("GET", other))
    assert name in by_name(api.ok("GET", path))
    api.ok("DELETE", f"/v1/structure/fields/{name}")
    assert name not in by_name(api.ok("GET", path))
    api.refused(400, "INPUT_INVALID", "POST", "/v1/structure/fields", {"name": "e", "exclusive": True})


def test_the_environments_switch_applies_to_tenants_without_their_own(api: Api, path: str) -> None:
    api.ok("PUT", "/v1/structure", {"enabled": False}, if_match="*")
    try:
        assert api.ok("GET", path)["effectiveEnabled"] is False
        structure = api.ok("PUT", path, {"enabled": True}, if_match="*")
        assert (structure["effectiveEnabled"], structure["inheritedEnabled"]) == (True, False)
    finally:
        api.ok("PUT", "/v1/structure", {"enabled": None}, if_match="*")


def test_each_tenant_sees_and_changes_only_its_own_structure(api: Api, path: str, tenant: str) -> None:
    tokens = {
        "viewer": api.served.viewer_token(tenant, Permission.read),
        "admin": api.served.viewer_token(tenant, Permission.read, Permission.configure, Permission.contract),
        "other": api.served.viewer_token("someone-else"),
        "bound": api.served.client_token("vendor", tenant=tenant, also=(Permission.contract,)),
        "writer": api.served.client_token("writer"),
    }
    field = {"name": "x", "displayName": "X"}
    api.ok("GET", path, token=tokens["viewer"])
    api.refused(403, "FORBIDDEN", "POST", f"{path}/fields", field, token=tokens["viewer"])
    api.refused(403, "FORBIDDEN", "GET", path, token=tokens["writer"])
    for method, where, body in (
        ("GET", path, None),
        ("GET", f"{path}/history", None),
        ("GET", f"{path}/fields", None),
        ("PUT", path, {}),
        ("POST", f"{path}/fields", field),
        ("DELETE", f"{path}/fields/x", None),
    ):
        api.refused(403, "TENANT_FORBIDDEN", method, where, body, token=tokens["other"], if_match="*")
    for token in ("admin", "bound"):
        api.ok("POST", f"{path}/fields", field, token=tokens[token])
        api.refused(403, "TENANT_FORBIDDEN", "GET", "/v1/structure", token=tokens[token])
        api.refused(403, "TENANT_FORBIDDEN", "POST", "/v1/structure/fields", field, token=tokens[token])
    api.refused(401, "UNAUTHENTICATED", "GET", path, token="nonsense")
    api.refused(400, "INPUT_INVALID", "GET", path, auditlane_tenant="someone-else")
    api.refused(400, "INPUT_INVALID", "GET", "/v1/tenants/-bad-/structure")


def state(api: Api, path: str) -> tuple[Any, Any, Any]:
    """Return everything that a change could affect: the displayed structure, its history, and the contract's fields."""
    return api.ok("GET", path), api.ok("GET", f"{path}/history"), api.ok("GET", f"{path}/fields")


def test_permission_for_the_structure_does_not_change_the_contract(api: Api, path: str, tenant: str) -> None:
    field = {"name": "order_number", "displayName": "Order", "rules": {"maxLength": 20}}
    api.ok("POST", f"{path}/fields", field)
    before = state(api, path)
    changes: list[tuple[str, str, Any, tuple[str, ...]]] = [
        ("POST", f"{path}/fields", {"name": "more"}, ()),
        ("POST", f"{path}/fields", field, ()),
        ("DELETE", f"{path}/fields/order_number", None, ()),
        ("PUT", f"{path}/fields/order_number", {"displayName": "Mine", "rules": {"required": True}}, ("rules",)),
        ("PUT", f"{path}/fields/order_number", {"rules": {}, "type": "Email"}, ("rules", "type")),
        ("PUT", f"{path}/fields/order_number", {"order": 1, "default": "x" * 9}, ("default",)),
        ("PUT", f"{path}/fields/order_number", {"default": None}, ("default",)),
        ("PUT", f"{path}/fields/order_number", {"showInTable": False, "exclusive": True}, ("exclusive",)),
    ]
    for token in (
        api.served.viewer_token(tenant, Permission.read, Permission.configure),
        api.served.viewer_token(tenant, Permission.read, Permission.configure, Permission.export),
        api.served.client_token("vendor", tenant=tenant),
        api.served.client_token("vendor", "admin", tenant=tenant),
    ):
        for method, where, body, named in changes:
            problem = api.refused(403, "FORBIDDEN", method, where, body, token=token, if_match="*")
            assert "audits:contract" in problem["detail"]
            assert all(name in problem["detail"] for name in named)
            assert problem.get("field") in (*named, None)
        assert state(api, path) == before
        for method, where, body in (
            ("PUT", f"{path}/fields/order_number", {"displayName": "Order"}),
            ("PUT", path, {"enabled": None, "fields": [{"name": "order_number", "showInTable": True}]}),
        ):
            api.ok(method, where, body, token=token, if_match="*")


def test_permission_for_the_contract_does_not_change_the_structure(api: Api, path: str, tenant: str) -> None:
    token = api.served.viewer_token(tenant, Permission.read, Permission.contract)
    api.ok("POST", f"{path}/fields", {"name": "tier", "displayName": "Tier"}, token=token)
    api.ok("PUT", f"{path}/fields/tier", {"rules": {"maxLength": 3}}, token=token, if_match="*")
    before = state(api, path)
    for method, where, body in (
        ("PUT", path, {"enabled": False}),
        ("PUT", f"{path}/fields/tier", {"displayName": "Level"}),
        ("PUT", f"{path}/fields/tier", {"displayName": "Level", "rules": {"maxLength": 9}}),
    ):
        problem = api.refused(403, "FORBIDDEN", method, where, body, token=token, if_match="*")
        assert "audits:configure" in problem["detail"]
    assert state(api, path) == before
    api.ok("DELETE", f"{path}/fields/tier", token=token)


def test_the_environments_contract_requires_the_same_permissions(api: Api) -> None:
    shows = api.served.client_token("writer", also=(Permission.configure,))
    decides = api.served.client_token("writer", also=(Permission.contract,))
    name = f"f{uuid4().hex[:8]}"
    where, field = f"/v1/structure/fields/{name}", {"name": name, "displayName": "Of all"}
    assert (
        "audits:contract" in api.refused(403, "FORBIDDEN", "POST", "/v1/structure/fields", field, token=shows)["detail"]
    )
    api.ok("POST", "/v1/structure/fields", field, token=decides)
    before = state(api, "/v1/structure")
    both = {"displayName": "Other", "rules": {"maxLength": 3}}
    for token, permission in ((shows, "audits:contract"), (decides, "audits:configure")):
        problem = api.refused(403, "FORBIDDEN", "PUT", where, both, token=token, if_match="*")
        assert permission in problem["detail"]
    api.refused(403, "FORBIDDEN", "DELETE", where, token=shows)
    assert state(api, "/v1/structure") == before
    api.ok("PUT", where, {"displayName": "Other"}, token=shows, if_match="*")
    api.ok("DELETE", where, token=decides)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "action"}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "x", "type": "Colour"}, "type"),
        ({"name": "x", "type": "Enum"}, "rules"),
        ({"name": "x", "rules": {"minimum": 3}}, "rules"),
        ({"name": "x", "rules": {"pattern": "(?i)x"}}, "rules"),
        ({"name": "x", "rules": {"pattern": "x"}}, "rules"),
        ({"name": "x", "rules": {"pattern": "x", "maxLength": 4_097}}, "rules"),
        ({"name": "x", "rules": {"pattern": "[ab]*(?:a[abc]{1000}|a[abd]{1000})e", "maxLength": 9}}, "rules"),
        ({"name": "x", "default": "q", "rules": {"pattern": "(x*)*y", "maxLength": 9}}, "default"),
        ({"name": "x", "default": "a" * 40, "rules": {"pattern": "a?" * 40 + "b", "maxLength": 99}}, "default"),
        ({"name": "x", "type": "Enum", "rules": {"oneOf": [str(one) for one in range(1_001)]}}, "rules"),
        ({"name": "x", "default": "d" * 40_000}, "rules"),
        ({"name": "__proto__"}, "name"),
        ({"name": "constructor"}, "name"),
        ({"name": "x", "rules": {"length": 3}}, "rules.length"),
        ({"name": "x", "rules": {"maxLength": "3"}}, "rules.maxLength"),
        ({"name": "x", "default": "long", "rules": {"maxLength": 2}}, "default"),
        ({"name": "x", "shownInTable": True}, "shownInTable"),
        ({"name": "x", "default": "\ud800"}, "default"),
        ({"name": "x", "rules": {"oneOf": ["\ud800"]}}, "rules"),
        ({"name": "x", "rules": {"pattern": "\ud800"}}, "rules"),
        ({"name": "x", "type": "Number", "default": float("inf")}, "default"),
        ({"name": "x", "type": "Number", "default": float("nan")}, "default"),
        ({"name": "x", "type": "Number", "default": 10**400}, "default"),
        ({"name": "x", "type": "Integer", "default": 10**400}, "default"),
        ({"name": "x", "rules": {"maxLength": 10**400}}, "rules"),
        ({"name": "x", "type": "Timestamp", "default": "0001-01-01T00:00:00+14:00"}, "default"),
        ({"name": "x", "displayName": "Or\r\nder"}, "displayName"),
        ({"name": "x", "displayName": "Order\0"}, "displayName"),
        ({"name": "x", "displayName": "\ud800"}, "displayName"),
    ],
)
def test_the_invalid_field_is_named(api: Api, path: str, body: dict[str, Any], field: str) -> None:
    problem = api.refused(400, "INPUT_INVALID", "POST", f"{path}/fields", body)
    assert problem["field"] == field, problem


def test_an_unreachable_registrys_address_is_not_disclosed(api: Api, clickhouse: str, path: str, tmp_path: Any) -> None:
    store = {"clickhouse_url": clickhouse, "clickhouse_database": api.topic}
    with Served(tmp_path, registry_url="http://127.0.0.1:1", **store) as served:
        alone = Api(served, api.registry, api.topic)
        for method, body in (("POST", {"name": "x"}), ("GET", None)):
            problem = alone.refused(503, "REGISTRY_UNAVAILABLE", method, f"{path}/fields", body)
            assert "127.0.0.1" not in str(problem)
            assert "AUDITLANE_" not in str(problem)


def test_without_a_registry_the_structure_is_shown_and_fields_wait(
    api: Api, clickhouse: str, path: str, tmp_path: Any
) -> None:
    with Served(tmp_path, clickhouse_url=clickhouse, clickhouse_database=api.topic) as served:
        alone = Api(served, api.registry, api.topic)
        alone.ok("GET", path)
        alone.ok("PUT", path, {"fields": [{"name": "ip", "displayName": "From"}]}, if_match="*")
        alone.refused(503, "REGISTRY_UNAVAILABLE", "POST", f"{path}/fields", {"name": "x"})
        alone.refused(503, "REGISTRY_UNAVAILABLE", "GET", f"{path}/fields")


def test_history_shows_what_was_in_effect_and_what_changed(api: Api, path: str) -> None:
    def put(where: str, fields: list[dict[str, Any]]) -> None:
        minimal = [{"name": one["name"]} for one in api.ok("GET", where)["fields"]]
        stated = {one["name"]: one for one in fields}
        api.ok("PUT", where, {"fields": [one | stated.get(one["name"], {}) for one in minimal]}, if_match="*")

    put(path, [{"name": "occurred_at", "displayName": "Event time"}])
    put("/v1/structure", [{"name": "action", "displayName": "Deed"}])
    put(path, [{"name": "action", "displayName": "What"}])
    put(path, [{"name": "actor_name", "order": 4}, {"name": "action", "order": 4}, {"name": "resource", "order": 4}])
    put("/v1/structure", [{"name": "action", "displayName": "Later"}])
    put(path, [{"name": "outcome", "displayName": "Result"}])

    renamed, moved, again, first = api.ok("GET", f"{path}/history")["data"]
    assert [(one["kind"], one["field"], one["values"]) for one in first["changes"]] == [
        ("changed", "occurred_at", {"displayName": ["Time", "Event time"]})
    ]
    assert first["sequence"] is None
    assert again["changes"][0]["values"] == {"displayName": ["Deed", "What"]}  # the environment's value at the time
    was, now = moved["sequence"]
    assert was[1:6] == ["actor_name", "action", "resource", "outcome", "severity"]
    assert now[1:6] == ["action", "actor_name", "outcome", "resource", "severity"]
    assert (moved["labels"]["outcome"], renamed["labels"]["outcome"]) == ("Outcome", "Result")
    environment = api.ok("GET", "/v1/structure/history?limit=2")["data"]
    assert [one["changes"][0]["values"]["displayName"] for one in environment] == [
        ["Deed", "Later"],
        ["Action", "Deed"],
    ]
    put("/v1/structure", [{"name": "action", "displayName": "Action"}])
