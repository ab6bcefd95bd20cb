"""Tests adding, changing, removing and restoring fields in the registry, concurrently and after interruptions."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from registering import InProcess

from auditlane.contract import values
from auditlane.contract.event import AuditEvent
from auditlane.contract.field_definition import FieldDefinition, FieldType, described, own_field, without_rules
from auditlane.contract.subjects import ensure_base_subject
from auditlane.contract.tenant_contract import MISREAD_NAMES, TenantContract, check_registrable
from auditlane.query.structure.contract_repository import ContractRepository, Registration
from auditlane.runtime.errors import (
    AuditlaneError,
    FieldConflict,
    InvalidInput,
    RegistryUnavailable,
    TooManyVersions,
    http_status,
)
from auditlane.runtime.settings import ContractSettings
from auditlane.sdk.encoding import Encoder

TOPIC = "audit.events"
BASE, ACME = "audit.events-value", "audit.events.acme-value"
Schema = dict[str, Any]


@pytest.fixture
def registry() -> InProcess:
    registry = InProcess()
    ensure_base_subject(registry, TOPIC)
    return registry


@pytest.fixture
def contracts(registry: InProcess) -> ContractRepository:
    return ContractRepository(registry, TOPIC)


def text(name: str, **rules: Any) -> Schema:
    return FieldDefinition(name, FieldType.AlphaNumeric, rules=rules).avro()


def latest(registry: InProcess, subject: str) -> Schema:
    schema: Schema = json.loads(registry.latest(subject).schema)
    return schema


def names(schema: Schema) -> list[str]:
    return [one.name for one in TenantContract.parse(json.dumps(schema)).own]


# Definitions


@pytest.mark.parametrize(
    ("type_", "default", "rules", "avro"),
    [
        ("AlphaNumeric", None, {"maxLength": 5}, {"type": ["null", "string"], "default": None, "maxLength": 5}),
        ("Number", 3, {"minimum": 0}, {"type": ["double", "null"], "default": 3.0, "minimum": 0}),
        ("Integer", 0, {"maximum": 9}, {"type": ["long", "null"], "default": 0, "maximum": 9}),
        ("Boolean", False, {"required": True}, {"type": ["boolean", "null"], "default": False, "required": True}),
        ("Enum", "a", {"oneOf": ["a", "b"]}, {"type": ["string", "null"], "default": "a", "oneOf": ["a", "b"]}),
        ("Email", None, {"required": False}, {"type": ["null", "string"], "default": None}),
        (
            "Timestamp",
            "2026-01-31T13:45:00.5Z",
            {},
            {"type": [{"type": "long", "logicalType": "timestamp-micros"}, "null"], "default": 1769867100500000},
        ),
    ],
)
def test_a_definition_becomes_an_avro_field_and_back(type_: str, default: Any, rules: Schema, avro: Schema) -> None:
    made = FieldDefinition("x", FieldType(type_), default, rules).avro()
    assert made == {"name": "x"} | avro
    kind, shown, kept = described(made)
    assert kind == ("AlphaNumeric" if type_ == "Email" else type_)
    assert kept == {name: value for name, value in rules.items() if value is not False}
    assert shown == ("2026-01-31T13:45:00.500000Z" if type_ == "Timestamp" else default)


@given(st.datetimes(timezones=st.just(UTC)))
@example(datetime.max.replace(tzinfo=UTC))
@example(datetime.min.replace(tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, 59, 999_900, tzinfo=UTC))
def test_the_default_of_a_time_is_exact(moment: datetime) -> None:
    made = FieldDefinition("x", FieldType.Timestamp, moment.isoformat(), {}).avro()
    assert datetime.fromisoformat(described(made)[1]) == moment
    assert values.fits("timestamp", (), made["default"])


@pytest.mark.parametrize("micros", [-62_135_596_800_000_001, -(10**18), 253_402_300_800_000_000, 10**18, 10**30])
def test_a_default_outside_the_calendar_is_shown_as_a_number(micros: int) -> None:
    field = {"name": "x", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}], "default": micros}
    assert described(field)[1] == micros
    assert not values.fits("timestamp", (), micros)


@pytest.mark.parametrize(
    ("name", "type_", "default", "rules", "field"),
    [
        ("action", "AlphaNumeric", None, {}, "name"),
        ("fields", "AlphaNumeric", None, {}, "name"),
        ("ingested_at", "AlphaNumeric", None, {}, "name"),
        ("two words", "AlphaNumeric", None, {}, "name"),
        ("1st", "AlphaNumeric", None, {}, "name"),
        ("x" * 101, "AlphaNumeric", None, {}, "name"),
        ("x", "Enum", None, {}, "rules"),
        ("x", "Enum", None, {"oneOf": []}, "rules"),
        ("x", "Number", None, {"maxLength": 3}, "rules"),
        ("x", "AlphaNumeric", None, {"length": 3}, "rules"),
        ("x", "AlphaNumeric", None, {"pattern": "(?i)a"}, "rules"),
        ("x", "Number", None, {"minimum": 2, "maximum": 1}, "rules"),
        ("x", "Number", "1", {}, "default"),
        ("x", "Number", 10**400, {}, "default"),
        ("x", "Number", float("inf"), {}, "default"),
        ("x", "AlphaNumeric", "\ud800", {}, "default"),
        ("x", "AlphaNumeric", None, {"oneOf": ["\ud800"]}, "rules"),
        ("x", "AlphaNumeric", None, {"pattern": "\ud800"}, "rules"),
        ("x", "Boolean", 1, {}, "default"),
        ("x", "Integer", 1.5, {}, "default"),
        ("x", "Integer", True, {}, "default"),
        ("x", "Timestamp", "2026-01-31", {}, "default"),
        ("x", "AlphaNumeric", "long", {"maxLength": 3}, "default"),
        ("x", "Enum", "c", {"oneOf": ["a"]}, "default"),
    ],
)
def test_an_invalid_definition_is_rejected_with_its_field(
    name: str, type_: str, default: Any, rules: Schema, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        FieldDefinition(name, FieldType(type_), default, rules).avro()
    assert refused.value.field == field


# A tenant's fields


def test_a_tenants_first_field_makes_its_subject(registry: InProcess, contracts: ContractRepository) -> None:
    registered = contracts.add("acme", text("order", required=True), replace=False)
    assert registered == (Registration("acme", ACME, previous=0, version=1),)
    schema = latest(registry, ACME)
    assert names(schema) == ["order"]
    assert TenantContract.parse(json.dumps(schema)).exclusive is False  # producers may still write with the base event
    assert registry.own_compatibility(ACME) == "BACKWARD"
    assert names(latest(registry, BASE)) == []
    assert not contracts.add("acme", text("order", required=True), replace=False)  # repeated
    assert registry.versions(ACME) == [1]


def test_a_compatibility_level_set_by_an_operator_is_kept(registry: InProcess, contracts: ContractRepository) -> None:
    registry.set_compatibility(ACME, "FULL")
    contracts.add("acme", text("order"), replace=False)
    assert registry.own_compatibility(ACME) == "FULL"


def test_exclusive_is_explicit_not_inferred(registry: InProcess, contracts: ContractRepository) -> None:
    contracts.add("acme", text("order"), replace=False)
    contracts.add("acme", text("code", pattern="[0-9]+", maxLength=9), replace=False)
    assert TenantContract.parse(registry.latest(ACME).schema).exclusive is False
    contracts.add("acme", text("code", pattern="[0-9]+", maxLength=9), replace=False, exclusive=True)
    assert TenantContract.parse(registry.latest(ACME).schema).exclusive is True
    contracts.add("acme", text("more"), replace=False)
    assert TenantContract.parse(registry.latest(ACME).schema).exclusive is True


def test_a_different_definition_is_a_conflict_or_a_change(registry: InProcess, contracts: ContractRepository) -> None:
    contracts.add("acme", text("order"), replace=False)
    with pytest.raises(FieldConflict):
        contracts.add("acme", text("order", maxLength=3), replace=False)
    assert contracts.add("acme", text("order", maxLength=3), replace=True)
    with pytest.raises(FieldConflict, match="holds text and cannot be changed to hold a number"):
        contracts.add("acme", FieldDefinition("order", FieldType.Number).avro(), replace=True)
    assert own_field(latest(registry, ACME), "order") == text("order", maxLength=3)


def test_names_that_differ_only_in_case_are_rejected(registry: InProcess, contracts: ContractRepository) -> None:
    contracts.add(None, text("region"), replace=False)
    contracts.add("acme", text("order"), replace=False)
    for tenant in ("acme", "other"):
        with pytest.raises(FieldConflict, match="a field region"):
            contracts.add(tenant, text("Region"), replace=False)
    contracts.release("acme", "order")
    for name in ("Order", "ORDER", "Action"):
        with pytest.raises(FieldConflict, match="only in case"):
            contracts.add("acme", text(name), replace=True)
    assert contracts.add(None, text("Order"), replace=False)  # a tenant's field does not block the environment's field
    assert names(latest(registry, ACME)) == ["region", "order", "Order"]


def test_registered_fields_whose_names_differ_only_in_case_still_work(
    registry: InProcess, contracts: ContractRepository
) -> None:
    schema = json.loads(registry.latest(BASE).schema)
    both = schema["fields"] + [text("order"), text("Order")]
    registry.register(ACME, json.dumps(schema | {"fields": both}))
    assert contracts.add("acme", text("Order", maxLength=3), replace=True)
    assert contracts.release("acme", "Order")


def test_a_removed_fields_rules_go_and_come_back(registry: InProcess, contracts: ContractRepository) -> None:
    contracts.add("acme", text("order", required=True), replace=False)
    assert contracts.release("acme", "order")
    assert own_field(latest(registry, ACME), "order") == text("order")
    assert not contracts.release("acme", "order")
    assert contracts.add("acme", text("order", required=True), replace=True)
    assert own_field(latest(registry, ACME), "order") == text("order", required=True)
    assert registry.versions(ACME) == [1, 2, 3]  # an earlier schema text is registered as a new version


# Concurrent changes


def test_concurrent_additions_from_the_same_version_are_both_kept(
    registry: InProcess, contracts: ContractRepository
) -> None:
    contracts.add("acme", text("a"), replace=False)

    def meanwhile(method: str, path: str) -> None:
        if method == "POST" and path.endswith("acme-value/versions"):
            registry.before = lambda method, path: None
            contracts.add("acme", text("b"), replace=False)

    registry.before = meanwhile
    contracts.add("acme", text("c"), replace=False)
    assert sorted(names(latest(registry, ACME))) == ["a", "b", "c"]


def test_a_concurrent_change_is_not_undone(registry: InProcess, contracts: ContractRepository) -> None:
    contracts.add("acme", text("a"), replace=False)

    def meanwhile(method: str, path: str) -> None:
        if method == "POST" and path.endswith("acme-value/versions"):
            registry.before = lambda method, path: None
            contracts.add("acme", text("a", maxLength=7), replace=True)

    registry.before = meanwhile
    contracts.add("acme", text("c"), replace=False)
    assert own_field(latest(registry, ACME), "a") == text("a", maxLength=7)
    assert names(latest(registry, ACME)) == ["a", "c"]


def test_two_concurrent_first_fields_are_both_kept(registry: InProcess, contracts: ContractRepository) -> None:
    def meanwhile(method: str, path: str) -> None:
        if method == "POST" and path.endswith("acme-value/versions"):
            registry.before = lambda method, path: None
            contracts.add("acme", text("b"), replace=False)

    registry.before = meanwhile
    contracts.add("acme", text("a"), replace=False)
    assert sorted(names(latest(registry, ACME))) == ["a", "b"]


# The environment's fields


def test_an_environments_field_reaches_tenants_with_a_contract_of_their_own(
    registry: InProcess, contracts: ContractRepository
) -> None:
    contracts.add("acme", text("order"), replace=False)
    assert contracts.add(None, text("region", maxLength=8), replace=False) == (
        Registration(None, BASE, previous=1, version=2),
        Registration("acme", ACME, previous=1, version=2),
    )
    assert names(latest(registry, BASE)) == ["region"]
    assert names(latest(registry, ACME)) == ["order", "region"]
    assert TenantContract.parse(registry.latest(ACME).schema).exclusive is False
    contracts.add("globex", text("own"), replace=False)  # based on the newest base event
    assert names(latest(registry, "audit.events.globex-value")) == ["region", "own"]
    assert ensure_base_subject(registry, TOPIC).drift == ()


def test_an_environments_change_reaches_tenants_with_the_same_definition(
    registry: InProcess, contracts: ContractRepository
) -> None:
    contracts.add("acme", text("region", maxLength=3), replace=False)  # acme already has the field, with its own rule
    contracts.add("globex", text("own"), replace=False)
    contracts.add(None, text("region"), replace=False)
    contracts.add(None, text("region", maxLength=9), replace=True)
    assert own_field(latest(registry, ACME), "region") == text("region", maxLength=3)
    assert own_field(latest(registry, "audit.events.globex-value"), "region") == text("region", maxLength=9)
    assert contracts.release(None, "region")
    assert own_field(latest(registry, ACME), "region") == text("region", maxLength=3)
    assert own_field(latest(registry, "audit.events.globex-value"), "region") == text("region")
    assert own_field(latest(registry, BASE), "region") == text("region")


def test_a_tenants_field_of_another_type_does_not_block_the_environment(
    registry: InProcess, contracts: ContractRepository
) -> None:
    number = FieldDefinition("region", FieldType.Number).avro()
    contracts.add("acme", number | {"required": True}, replace=False)
    contracts.add("globex", text("own"), replace=False)
    assert contracts.add(None, text("region"), replace=False)
    assert own_field(latest(registry, BASE), "region") == text("region")
    assert own_field(latest(registry, "audit.events.globex-value"), "region") == text("region")
    # The field keeps its type, since stored messages are decoded with it.
    assert own_field(latest(registry, ACME), "region") == number | {"required": True}
    assert contracts.add(None, text("region", maxLength=4), replace=True)
    assert own_field(latest(registry, ACME), "region") == number | {"required": True}
    assert contracts.release("acme", "region")
    assert own_field(latest(registry, ACME), "region") == number


# Limits


LIMITS = ContractSettings(contract_fields=3, contract_choices=4, contract_rules_bytes=1_024)


def test_a_full_contract_does_not_block_the_environments_fields(registry: InProcess) -> None:
    contracts = ContractRepository(registry, TOPIC, LIMITS)
    contracts.add(None, text("env_0"), replace=False)
    for number in range(3):
        contracts.add("acme", text(f"own_{number}"), replace=False)
    with pytest.raises(InvalidInput, match=r"4 custom fields .limit 3") as full:
        contracts.add("acme", text("own_3"), replace=False)
    assert full.value.field == "name"
    assert "AUDITLANE_CONTRACT_FIELDS" in full.value.fix
    for number in (1, 2):
        assert contracts.add(None, text(f"env_{number}"), replace=False)
    assert names(latest(registry, ACME)) == ["env_0", "own_0", "own_1", "own_2", "env_1", "env_2"]
    with pytest.raises(InvalidInput, match=r"4 custom fields .limit 3"):  # the limit includes the environment's fields
        contracts.add(None, text("env_3"), replace=False)
    assert names(latest(registry, BASE)) == ["env_0", "env_1", "env_2"]
    assert contracts.add("acme", text("own_2", maxLength=9), replace=True)  # existing fields can still be changed


def test_a_tenants_versions_are_bounded_and_the_environments_changes_still_reach_it(registry: InProcess) -> None:
    contracts = ContractRepository(registry, TOPIC, ContractSettings(contract_versions=4))
    for length in range(1, 6):  # each version of the environment's fields adds one to the tenant's limit
        contracts.add("acme", text("own", required=True, maxLength=length), replace=True)
    with pytest.raises(TooManyVersions, match="has 5 versions") as full:
        contracts.add("acme", text("own", maxLength=9), replace=True)
    assert "AUDITLANE_CONTRACT_VERSIONS" in full.value.fix
    assert http_status(full.value) == 409
    assert len(registry.versions(ACME)) == 5
    assert not contracts.add("acme", text("own", required=True, maxLength=5), replace=True)  # nothing to register
    assert contracts.add(None, text("region"), replace=False)
    assert own_field(latest(registry, ACME), "region") == text("region")
    assert contracts.release("acme", "own")  # a field can always be removed


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        (FieldDefinition("x", FieldType.Enum, rules={"oneOf": list("abcde")}), "lists 5 values (limit 4)"),
        (FieldDefinition("x", FieldType.Enum, rules={"oneOf": ["a" * 1_000]}), "bytes of JSON (limit 1024)"),
        (FieldDefinition("x", FieldType.AlphaNumeric, "ü" * 500), "bytes of JSON (limit 1024)"),
    ],
)
@pytest.mark.parametrize("tenant", [None, "acme"])
def test_the_size_of_a_field_is_bounded(
    registry: InProcess, tenant: str | None, definition: FieldDefinition, says: str
) -> None:
    with pytest.raises(InvalidInput) as large:
        ContractRepository(registry, TOPIC, LIMITS).add(tenant, definition.avro(), replace=False)
    assert says in large.value.message
    assert "AUDITLANE_CONTRACT_" in large.value.fix
    assert registry.subjects() == {BASE}
    assert registry.versions(BASE) == [1]


def test_the_bytes_of_a_contract_are_bounded(registry: InProcess) -> None:
    contracts = ContractRepository(registry, TOPIC, ContractSettings(contract_bytes=4_096))
    for number in range(4):
        contracts.add("acme", FieldDefinition(f"x{number}", FieldType.AlphaNumeric, "a" * 900).avro(), replace=False)
    with pytest.raises(InvalidInput, match=r"custom fields would take up .* bytes of JSON .limit 4096"):
        contracts.add("acme", FieldDefinition("x4", FieldType.AlphaNumeric, "a" * 900).avro(), replace=False)
    assert contracts.add(None, text("region"), replace=False)
    assert contracts.release("acme", "x0")


def test_a_refused_contract_names_its_tenant_before_anything_is_registered(
    registry: InProcess, contracts: ContractRepository
) -> None:
    contracts.add("acme", text("own"), replace=False)
    contracts.add("globex", text("own"), replace=False)

    def refused(subject: str, schema: str, ask: Any = registry.check) -> list[str]:
        return ["it cannot"] if subject == ACME else ask(subject, schema)

    registry.check = refused  # type: ignore[method-assign]
    with pytest.raises(FieldConflict, match="tenant acme"):
        contracts.add(None, text("region"), replace=False)
    assert registry.versions(BASE) == [1]
    assert registry.versions("audit.events.globex-value") == [1]


def test_an_invalid_contract_in_the_registry_does_not_block_others(
    registry: InProcess, contracts: ContractRepository
) -> None:
    schema = json.loads(registry.latest(BASE).schema)
    for number, field in enumerate([text("x") | {"pattern": "(a"}, text("__proto__x") | {"name": "__proto__"}]):
        registry.register(f"audit.events.t{number}-value", json.dumps(schema | {"fields": [*schema["fields"], field]}))
    assert contracts.add(None, text("region"), replace=False)
    assert contracts.release(None, "region") == ()
    assert names(latest(registry, BASE)) == ["region"]


@pytest.mark.parametrize("name", sorted(MISREAD_NAMES))
def test_a_name_that_pages_could_misread_is_refused(
    registry: InProcess, contracts: ContractRepository, name: str
) -> None:
    with pytest.raises(InvalidInput, match="JavaScript") as refused:
        text(name)
    assert refused.value.field == "name"
    schema = json.loads(registry.latest(BASE).schema)
    field = {"name": name, "type": ["null", "string"], "default": None}
    whole = json.dumps(schema | {"fields": [*schema["fields"], field]})
    assert any(one.startswith(f"{name}: ") for one in check_registrable(whole))
    if name == "__proto__":  # registering the contract bypassed this check
        with pytest.raises(InvalidInput, match="rename the field"):
            TenantContract.parse(whole)
    else:
        assert [one.name for one in TenantContract.parse(whole).own] == [name]


def test_a_tenant_adopts_an_environments_field_unchanged(registry: InProcess, contracts: ContractRepository) -> None:
    contracts.add(None, text("region", required=True), replace=False)
    assert not contracts.add("acme", text("region"), replace=False)
    assert ACME not in registry.subjects()
    with pytest.raises(FieldConflict, match="belongs to the environment"):
        contracts.add("acme", text("region", maxLength=3), replace=True)
    assert not contracts.release("acme", "region")
    assert own_field(latest(registry, BASE), "region") == text("region", required=True)


@pytest.mark.parametrize("work", ["add", "change", "release"])
def test_repeating_an_interrupted_operation_completes_it(work: str) -> None:
    """The registry fails at each of the operation's requests in turn. When the call is repeated, every tenant is
    updated.
    """
    for dies_at in range(1, 200):
        registry = InProcess()
        ensure_base_subject(registry, TOPIC)
        contracts = ContractRepository(registry, TOPIC)
        for tenant in ("acme", "globex"):
            contracts.add(tenant, text("own"), replace=False)
        if work != "add":
            contracts.add(None, text("region", required=True), replace=False)
        wanted = {"add": text("region"), "change": text("region", maxLength=4), "release": text("region")}[work]

        def run(contracts: ContractRepository = contracts, wanted: Schema = wanted) -> None:
            if work == "release":
                contracts.release(None, "region")
            else:
                contracts.add(None, wanted, replace=True)

        left = [dies_at]

        def dying(method: str, path: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] <= 0:
                raise RegistryUnavailable("It died.")

        registry.before = dying
        try:
            run()
            finished = True
        except AuditlaneError:
            finished = False
        registry.before = lambda method, path: None
        if not finished:
            run()
        for subject in (BASE, ACME, "audit.events.globex-value"):
            assert own_field(latest(registry, subject), "region") == wanted, (work, dies_at, subject)
        if finished:
            assert dies_at > 10
            return
    raise AssertionError("it never got through")


# Stored events stay readable after any sequence of changes


FIELDS = st.sampled_from(
    [
        FieldDefinition("a", FieldType.AlphaNumeric, rules={"maxLength": 4}),
        FieldDefinition("a", FieldType.AlphaNumeric),
        FieldDefinition("a", FieldType.Enum, "x", {"oneOf": ["x", "y"], "required": True}),
        FieldDefinition("a", FieldType.Number, rules={"minimum": 0}),
        FieldDefinition("b", FieldType.Integer, 3),
        FieldDefinition("b", FieldType.Number),
        FieldDefinition("c", FieldType.Timestamp),
        FieldDefinition("c", FieldType.Boolean, True, {"required": True}),
    ]
)
STEPS = st.lists(
    st.tuples(st.sampled_from([None, "acme"]), st.sampled_from(["add", "change", "remove"]), FIELDS), max_size=10
)
VALUES: dict[str, Any] = {"a": ("x", 1.5), "b": (7, 2.5), "c": ("2026-01-31T13:45:00Z", False)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_any_history_keeps_every_contract_valid_and_every_event_readable(
    steps: list[tuple[str | None, str, FieldDefinition]],
) -> None:
    registry = InProcess()
    ensure_base_subject(registry, TOPIC)
    contracts = ContractRepository(registry, TOPIC)
    for tenant, work, definition in steps:
        try:
            if work == "remove":
                contracts.release(tenant, definition.name)
            else:
                contracts.add(tenant, definition.avro(), replace=work == "change")
        except FieldConflict:
            continue
    for subject in registry.subjects():
        texts = [registry.version(subject, number) for number in registry.versions(subject)]
        newest = fastavro.parse_schema(json.loads(texts[-1].schema))
        for older in texts:
            assert check_registrable(older.schema) == []
            writer = Encoder.parse(subject, older.schema_id, older.schema)
            own = {name: _fitting(kind.kind, VALUES[name]) for name, kind in writer.own.items()}
            event = AuditEvent.checked({"tenant_id": "acme", "action": "Login", "fields": own})
            datum = io.BytesIO(writer.encode(event, 100_000)[5:])
            read: Any = fastavro.schemaless_reader(datum, json.loads(older.schema), newest)
            assert read["action"] == "Login"
            assert set(own) <= set(read)  # fields never leave the contract


def _fitting(kind: str, values: tuple[Any, Any]) -> Any:
    return values[1] if kind in ("double", "boolean") else values[0]


def test_a_contract_without_the_field_has_nothing_to_lose() -> None:
    schema: Schema = {"type": "record", "name": "AuditEvent", "fields": []}
    assert without_rules(schema, "x") is schema


def plan(default: Any) -> Schema:
    return FieldDefinition("plan", FieldType.AlphaNumeric, default).avro()


@pytest.mark.parametrize("tenant", ["acme", None])
@pytest.mark.parametrize("removed", [False, True])
def test_a_fields_default_cannot_change_to_another_value(
    registry: InProcess, contracts: ContractRepository, tenant: str | None, removed: bool
) -> None:
    """Otherwise, stored events with the old default could not be distinguished from those with the new one."""
    contracts.add(tenant, plan("free"), replace=False)
    if removed:
        contracts.release(tenant, "plan")
    with pytest.raises(FieldConflict, match="default of the field plan cannot change") as refused:
        contracts.add(tenant, plan("paid"), replace=True)
    assert (refused.value.field, "another name" in str(refused.value.fix)) == ("default", True)
    contracts.add(tenant, plan("free"), replace=True)
    contracts.add(tenant, plan(None), replace=True)
    subject = BASE if tenant is None else ACME
    assert own_field(latest(registry, subject), "plan")["default"] is None  # type: ignore[index]


def test_a_field_without_a_default_gets_one(registry: InProcess, contracts: ContractRepository) -> None:
    contracts.add("acme", plan(None), replace=False)
    assert contracts.add("acme", plan("free"), replace=True)
    with pytest.raises(FieldConflict, match="default"):
        contracts.add("acme", plan("paid"), replace=True)
