"""Tests the registry's rules without HTTP: ids after any history, a full disk, and failing requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditlane.local.registry.api import routes
from auditlane.local.registry.errors import ApiError
from auditlane.local.registry.http import App
from auditlane.local.registry.resolver import Request
from auditlane.local.registry.service import Registry
from auditlane.local.registry.store import GLOBAL, Reference, Store

SUBJECTS = ("a", "b", "c")


def text(number: int, indent: int | None = None) -> str:
    return json.dumps({"type": "string", "number": number}, indent=indent)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("register"), st.sampled_from(SUBJECTS), st.integers(0, 4), st.sampled_from([None, 1, 4])),
        st.tuples(st.just("delete"), st.sampled_from(SUBJECTS), st.booleans(), st.none()),
        st.tuples(st.just("delete one"), st.sampled_from(SUBJECTS), st.booleans(), st.integers(1, 6)),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ACTIONS)
def test_over_any_history_a_schema_has_one_id_and_an_id_one_schema(actions: list[Any]) -> None:
    store = Store(Path(":memory:"))
    registry = Registry(store)
    registry.policy.configure(GLOBAL, "NONE", None)
    texts: dict[int, int] = {}  # the schema text for each id that has been assigned
    for action, subject, argument, extra in actions:
        try:
            if action == "register":
                schema_id = registry.register(Request(subject, text(argument, extra)))
                assert texts.setdefault(schema_id, argument) == argument
                found = registry.lookup(Request(subject, text(argument)), deleted=False)
                assert found.schema.schema_id == schema_id
                assert registry.version(subject, -1, deleted=False).version >= found.version
            elif action == "delete":
                registry.delete_subject(subject, permanent=argument)
            else:
                registry.delete_version(subject, extra, permanent=argument, version_text=str(extra))
        except ApiError as refusal:
            if refusal.status != 404 or action == "register":
                raise
        alive = [schema_id for schema_id in texts if _is_there(registry, schema_id)]
        assert len({texts[schema_id] for schema_id in alive}) == len(alive)
        for name in SUBJECTS:
            kept = store.versions(name)
            live = [one.schema.schema_id for one in kept if not one.deleted]
            assert len(set(live)) == len(live)
            assert {one.schema.schema_id for one in kept} <= set(alive)
    store.close()


def _is_there(registry: Registry, schema_id: int) -> bool:
    try:
        registry.schema(schema_id)
    except ApiError:
        return False
    return True


def call(app: App, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    sent: list[Any] = []
    content = json.dumps(body).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "registry.sqlite")
    yield store
    store.close()


def test_a_full_disk_is_50001_and_loses_nothing(store: Store) -> None:
    app = App(routes(Registry(store)))
    assert call(app, "POST", "/subjects/a/versions", {"schema": text(0)}) == (200, {"id": 1})
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={pages}")
    large = json.dumps({"type": "string", "x": "x" * 100_000})
    status, answer = call(app, "POST", "/subjects/b/versions", {"schema": large})
    assert (status, answer["error_code"]) == (500, 50001)
    assert "full" in answer["message"]
    assert call(app, "GET", "/subjects") == (200, ["a"])
    store._db.execute("PRAGMA max_page_count=100000")
    assert call(app, "POST", "/subjects/b/versions", {"schema": large}) == (200, {"id": 2})


def test_a_schema_is_found_by_its_guid(store: Store) -> None:
    app = App(routes(Registry(store)))
    for number in range(3):
        assert call(app, "POST", f"/subjects/s{number}/versions", {"schema": text(number)})[0] == 200
    guids = [call(app, "GET", f"/schemas/ids/{number}")[1]["guid"] for number in (1, 2, 3)]
    assert len(set(guids)) == 3
    for number, guid in enumerate(guids, 1):
        schema = call(app, "GET", f"/schemas/ids/{number}")
        assert call(app, "GET", f"/schemas/guids/{guid}") == schema
        assert call(app, "GET", f"/schemas/guids/{guid.upper()}") == schema
        assert call(app, "GET", f"/schemas/guids/{guid}/ids") == (200, [{"context": ".", "id": number}])
        assert call(app, "GET", f"/subjects/s{number - 1}/versions/1")[1]["guid"] == guid
    for unknown in (str(UUID(int=1)), "x", "1"):
        for path in (f"/schemas/guids/{unknown}", f"/schemas/guids/{unknown}/ids"):
            status, answer = call(app, "GET", path)
            assert (status, answer["error_code"]) == (404, 40403)
            assert unknown in answer["message"]


def test_a_bug_is_reported_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Any) -> None:
        raise RuntimeError("a defect")

    assert call(App({("x",): {"GET": broken}}), "GET", "/x") == (
        500,
        {"error_code": 500, "message": "Internal Server Error"},
    )
    assert "a defect" in caplog.text


@pytest.mark.parametrize("schema", ['{"type":"string","x":"\\ud800"}', "\ud800"])
def test_a_lone_surrogate_is_an_invalid_schema(store: Store, schema: str) -> None:
    status, answer = call(App(routes(Registry(store))), "POST", "/subjects/a/versions", {"schema": schema})
    assert (status, answer["error_code"]) == (422, 42201)


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "registry.sqlite")
    store._db.execute("PRAGMA user_version=99")
    store.close()
    with pytest.raises(Exception, match="newer"):
        Store(tmp_path / "registry.sqlite")


def test_global_import_mode_requires_an_empty_registry(store: Store) -> None:
    registry = Registry(store)
    registry.register(Request("a", text(0)))
    with pytest.raises(ApiError, match="existing subjects"):
        registry.policy.set_mode(GLOBAL, "IMPORT", force=False)
    registry.delete_subject("a", permanent=False)
    registry.policy.set_mode(GLOBAL, "IMPORT", force=False)
    assert not _is_there(registry, 1)
    assert registry.register(Request("a", text(1), schema_id=50, version=3)) == 50
    registry.policy.unset_mode(GLOBAL)
    assert registry.register(Request("b", text(2))) == 51


def test_readonly_override_takes_precedence_over_a_subjects_mode(store: Store) -> None:
    registry = Registry(store)
    registry.policy.set_mode("a", "READWRITE", force=False)
    registry.policy.set_mode(GLOBAL, "READONLY", force=False)
    assert registry.register(Request("a", text(0))) == 1
    with pytest.raises(ApiError, match="read-only"):
        registry.register(Request("b", text(0)))
    registry.policy.set_mode(GLOBAL, "READONLY_OVERRIDE", force=False)
    with pytest.raises(ApiError, match="read-only"):
        registry.register(Request("a", text(1)))


def test_a_schema_sent_with_its_references_written_out_is_found(store: Store) -> None:
    registry = Registry(store)
    inner = '{"type":"record","name":"I","fields":[]}'
    registry.register(Request("i", inner))
    outer = '{"type":"record","name":"O","fields":[{"name":"i","type":%s}]}'
    schema_id = registry.register(Request("o", outer % '"I"', (Reference("I", "i", 1),)))
    assert registry.register(Request("o", outer % inner)) == schema_id
    assert registry.lookup(Request("o", outer % inner), deleted=False).version == 1
