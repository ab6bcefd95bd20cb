# ruff: noqa: E501 (one case a line)
"""Tests each reject code with examples, their precedence, and the columns of accepted events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from validating import BASE_ID, NOW_MS, TOPIC, DictRegistry, base_registry, contract, message, own, raw_range

from auditlane.contract.reject_codes import RejectCode as R
from auditlane.contract.schema_guids import HEADER, prepend_guid
from auditlane.contract.wire import HEADER_BYTES
from auditlane.runtime.errors import RegistryUnavailable
from auditlane.store.partitioning import Partitioning
from auditlane.worker.validation.batch import UNKNOWN_GUIDS, ValidationResult
from auditlane.worker.validation.event_columns import EVENTS
from auditlane.worker.validation.schema_cache import REFUSAL_S, SchemaCache
from auditlane.worker.validation.validator import ORDER, BatchValidator

DAY_US = 86_400_000_000
NOW_US = NOW_MS * 1000
RULED = contract(
    own("code", "string", required=True, maxLength=3, pattern="[a-z😀]+"),
    own("count", "int", minimum=1, maximum=9),
    own("cost", "double", oneOf=[0.5, 2]),
    own("tier", {"type": "enum", "name": "Tier", "symbols": ["a", "b"]}, oneOf=["a"]),
    own("at", {"type": "long", "logicalType": "timestamp-micros"}),
    own("ok", "boolean"),
)


def validator_of(
    registry: DictRegistry, limit: int = 5_000, partitioning: Partitioning = Partitioning.MONTH
) -> BatchValidator:
    schemas = SchemaCache(registry, topic=TOPIC, refresh_s=30)
    return BatchValidator(schemas, topic=TOPIC, max_event_bytes=limit, partitioning=partitioning)


@pytest.fixture
def registry() -> DictRegistry:
    registry = base_registry()
    registry.register(f"{TOPIC}.ruled-value", RULED)  # id 2
    registry.register(f"{TOPIC}.other-value", contract(own("x", "string")))  # id 3
    registry.register(f"{TOPIC}.broken-value", {"type": "record", "name": "No", "fields": []})  # id 4
    registry.register("something-else", {"type": "record", "name": "Else", "fields": []})  # id 5
    return registry


def ruled(**values: Any) -> bytes:
    rest = dict.fromkeys(("count", "cost", "tier", "at", "ok"))
    return message(2, RULED, **({"tenant_id": "ruled", "code": "abc"} | rest | values))


CASES: list[tuple[str, R, str, bytes | None, bytes | None]] = [
    ("no value", R.NOT_FRAMED, "frame", b"acme", None),
    ("four bytes", R.NOT_FRAMED, "frame", b"acme", b"\0\0\0\0"),
    ("another magic byte", R.NOT_FRAMED, "frame", b"acme", b"\1" + message()[1:]),
    ("too large", R.TOO_LARGE, "at most 5000", b"acme", message(description="d" * 5_000)),
    ("no key", R.KEY_MISSING, "no key", None, message()),
    ("an empty key", R.KEY_MISSING, "no key", b"", message()),
    ("a key that is not UTF-8", R.TENANT_INVALID, "not a tenant id", b"\xff", message()),
    ("a key that is not a tenant id", R.TENANT_INVALID, "not a tenant id", b"a b", message(tenant_id="a b")),
    ("a key with a newline", R.TENANT_INVALID, "not a tenant id", b"acme\n", message(tenant_id="acme\n")),
    ("a shard without a tenant", R.TENANT_INVALID, "not a tenant id", b"#1", message()),
    ("an unknown schema", R.SCHEMA_UNKNOWN, "no schema with the id 77", b"acme", message(77)),
    ("another tenant's schema", R.SCHEMA_NOT_TENANTS, "Schema 3", b"acme", message(3)),
    ("the base schema where the contract has rules", R.SCHEMA_NOT_TENANTS, "Schema 1", b"ruled", message()),
    ("a schema of something else", R.SCHEMA_NOT_TENANTS, "not a valid event contract", b"acme", message(5)),
    ("a tenant's schema that is not a contract", R.SCHEMA_NOT_TENANTS, "not a valid event contract", b"broken", message(4)),
    ("an empty datum", R.AVRO_MALFORMED, "event_id: the datum ends", b"acme", b"\0\0\0\0\1"),
    ("cut", R.AVRO_MALFORMED, "metadata: the datum ends", b"acme", message()[:-1]),
    ("bytes left", R.AVRO_MALFORMED, "2 bytes remain", b"acme", message() + b"\0\0"),
    ("not UTF-8", R.AVRO_MALFORMED, "action: a text is not UTF-8", b"acme", message().replace(b"Login", b"Log\xff\xff")),
    ("a map key not UTF-8", R.AVRO_MALFORMED, "not UTF-8", b"acme", message(metadata={"QQ": ""}).replace(b"QQ", b"\xc3\x28")),
    ("a map key twice", R.AVRO_MALFORMED, "'a' occurs twice", b"acme", message().replace(b"\x02b\x022", b"\x02a\x022")),
    ("another tenant's event", R.TENANT_MISMATCH, "'other', but the message key is 'acme'", b"acme", message(tenant_id="other")),
    ("a shard in the event", R.TENANT_MISMATCH, "'acme#1'", b"acme#1", message(tenant_id="acme#1")),
    ("an invalid id", R.EVENT_ID_INVALID, "'nope' is not a UUID", b"acme", message(event_id="nope")),
    ("an empty id", R.EVENT_ID_INVALID, "'' is not", b"acme", message(event_id="")),
    ("an id in braces", R.EVENT_ID_INVALID, "not a UUID", b"acme", message(event_id="{01890a5d-ac96-774b-bcce-b302099a8057}")),
    ("an id without dashes", R.EVENT_ID_INVALID, "not a UUID", b"acme", message(event_id="01890a5dac96774bbcceb302099a8057")),
    ("an id and a newline", R.EVENT_ID_INVALID, "not a UUID", b"acme", message(event_id="01890a5d-ac96-774b-bcce-b302099a8057\n")),
    ("a day ahead", R.OCCURRED_AT_OUT_OF_RANGE, "occurred_at is 2025-06-16T15:06:40Z, the message's Kafka timestamp 2025-06-15T15:06:40Z: more than a day after", b"acme", message(occurred_at=NOW_US + DAY_US + 1)),
    ("ten years ago", R.OCCURRED_AT_OUT_OF_RANGE, "ten years", b"acme", message(occurred_at=NOW_US - 3_653 * DAY_US - 1)),
    ("seconds for microseconds", R.OCCURRED_AT_OUT_OF_RANGE, "ten years", b"acme", message(occurred_at=NOW_MS // 1000)),
    ("the last number", R.OCCURRED_AT_OUT_OF_RANGE, "occurred_at is 294247-01-10T04:00:54Z", b"acme", message(occurred_at=2**63 - 1)),
    ("the first number", R.OCCURRED_AT_OUT_OF_RANGE, "ten years", b"acme", message(occurred_at=-(2**63))),
    ("no action", R.ACTION_EMPTY, "action is empty", b"acme", message(action="")),
    ("a host name for an ip", R.IP_INVALID, "'example.com'", b"acme", message(ip="example.com")),
    ("an ip with a port", R.IP_INVALID, "'1.2.3.4:80'", b"acme", message(ip="1.2.3.4:80")),
    ("an ip with a zero before", R.IP_INVALID, "'01.2.3.4'", b"acme", message(ip="01.2.3.4")),
    ("a scoped ip", R.IP_INVALID, "eth0", b"acme", message(ip="fe80::1%eth0")),
    ("an ip in blanks", R.IP_INVALID, "' 1.2.3.4'", b"acme", message(ip=" 1.2.3.4")),
    ("our source", R.SOURCE_RESERVED, "source 'auditlane' is reserved", b"acme", message(source="auditlane")),
    ("our source in capitals and a blank", R.SOURCE_RESERVED, "' Auditlane'", b"acme", message(source=" Auditlane")),
    ("required, null", R.FIELD_RULE, "code is required", b"ruled", ruled(code=None)),
    ("required, empty", R.FIELD_RULE, "code is required", b"ruled", ruled(code="")),
    ("maxLength", R.FIELD_RULE, "code must have at most 3 characters", b"ruled", ruled(code="abcd")),
    ("pattern", R.FIELD_RULE, "code must match [a-z😀]+", b"ruled", ruled(code="a1")),
    ("pattern, the whole value", R.FIELD_RULE, "code must match", b"ruled", ruled(code="ab\n")),
    ("minimum", R.FIELD_RULE, "count must be at least 1", b"ruled", ruled(count=0)),
    ("maximum", R.FIELD_RULE, "count must be at most 9", b"ruled", ruled(count=10)),
    ("oneOf", R.FIELD_RULE, "cost must be one of 0.5, 2", b"ruled", ruled(cost=1.0)),
    ("oneOf of an enum", R.FIELD_RULE, "tier must be one of a", b"ruled", ruled(tier="b")),
    ("a time in no calendar", R.FIELD_RULE, "at must be a time", b"ruled", ruled(at=2**62)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "says", "key", "value"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_each_rejection_names_its_code_and_spares_its_neighbours(
    registry: DictRegistry, code: R, says: str, key: bytes | None, value: bytes | None
) -> None:
    result = validator_of(registry).validate(
        raw_range([message(), value, message()], [b"acme", key, b"acme"]), ingested_at_ms=1
    )
    [rejection] = result.rejected
    assert (rejection.index, rejection.code) == (1, code)
    assert says in rejection.message
    assert rejection.message.endswith(".")
    assert [table.num_rows for table in result.rows.values()] == [2], "the neighbours are stored"
    assert rejection.tenant == (
        key.decode().split("#")[0] if code not in (R.KEY_MISSING, R.TENANT_INVALID) and key else None
    )
    framed = code is not R.NOT_FRAMED and value is not None
    assert rejection.schema_id == (int.from_bytes(value[1:5], "big") if framed and value else None)


def test_every_code_has_an_example_and_a_place_in_the_order() -> None:
    assert {case[1] for case in CASES} == set(R) - {R.NOT_JUDGED} == set(ORDER)


def test_the_first_code_in_the_order_counts(registry: DictRegistry) -> None:
    """A message that breaks every rule is corrected step by step. Each correction reveals the next code."""
    bad: dict[str, Any] = {
        "tenant_id": "acme", "event_id": "x", "occurred_at": 0, "action": "", "ip": "x", "code": "1234", "source": "auditlane",
    }  # fmt: skip
    mends: list[tuple[R, dict[str, Any]]] = [
        (R.TENANT_MISMATCH, {"tenant_id": "ruled"}),
        (R.EVENT_ID_INVALID, {"event_id": "01890a5d-ac96-774b-bcce-b302099a8057"}),
        (R.OCCURRED_AT_OUT_OF_RANGE, {"occurred_at": NOW_US}),
        (R.ACTION_EMPTY, {"action": "Login"}),
        (R.IP_INVALID, {"ip": ""}),
        (R.SOURCE_RESERVED, {"source": ""}),
        (R.FIELD_RULE, {"code": "abc"}),
    ]
    validator = validator_of(registry)
    for code, mend in mends:
        result = validator.validate(raw_range([ruled(**bad)], [b"ruled"]), ingested_at_ms=1)
        assert [one.code for one in result.rejected] == [code]
        bad |= mend
    assert validator.validate(raw_range([ruled(**bad)], [b"ruled"]), ingested_at_ms=1).rejected == []


def accepted(registry: DictRegistry, value: bytes, key: bytes = b"acme", **raw: Any) -> dict[str, Any]:
    result = validator_of(registry).validate(raw_range([value], [key], **raw), ingested_at_ms=NOW_MS + 5)
    assert result.rejected == []
    [table] = result.rows.values()
    assert table.schema.equals(EVENTS)
    return dict(table.to_pylist()[0])


@pytest.mark.parametrize(
    "value",
    [
        message(event_id="01890A5D-AC96-774B-BCCE-B302099A8057"),
        message(occurred_at=NOW_US + DAY_US),
        message(occurred_at=NOW_US - 3_653 * DAY_US),
        message(description="d" * 4_000),
        *(
            message(ip=ip)
            for ip in ("", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:DB8::A", "::ffff:1.2.3.4", "1::1.2.3.4")
        ),
        message(ip=None),
    ],
)
def test_values_at_the_limits_are_accepted(registry: DictRegistry, value: bytes) -> None:
    assert accepted(registry, value)["event_id"] == "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.mark.parametrize(
    ("key", "tenant"), [(b"acme", "acme"), (b"acme#0", "acme"), (b"acme#a#b", "acme"), (b"_auditlane", "_auditlane")]
)
def test_keys_with_and_without_a_shard(registry: DictRegistry, key: bytes, tenant: str) -> None:
    assert accepted(registry, message(tenant_id=tenant), key)["tenant_id"] == tenant


def test_a_dedicated_topic_is_for_its_tenant(registry: DictRegistry) -> None:
    row = accepted(registry, message(), topic=f"{TOPIC}.acme")
    assert row["kafka_topic"] == f"{TOPIC}.acme"
    raw = raw_range([message(), message(tenant_id="other")], [b"acme", b"other"], topic=f"{TOPIC}.other")
    result = validator_of(registry).validate(raw, ingested_at_ms=1)
    assert [(one.index, one.code) for one in result.rejected] == [(0, R.TENANT_MISMATCH), (1, R.SCHEMA_NOT_TENANTS)][:1]
    assert result.rejected[0].message == "The topic is dedicated to 'other', but the message key is 'acme'."


def test_an_accepted_event_becomes_this_row(registry: DictRegistry) -> None:
    value = ruled(
        count=3, cost=2.0, tier="a", at=NOW_US + 7, ok=False, user_agent="", ip="", actor_name="", severity="High"
    )
    row = accepted(registry, value, b"ruled#4")
    now = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    assert row["fields"] == [
        ("code", "abc"), ("count", "3"), ("cost", "2"), ("tier", "a"), ("at", "2025-06-15T15:06:40.000007Z"), ("ok", "false"),
    ]  # fmt: skip
    assert row["metadata"] == [("a", "1"), ("b", "2")]
    assert (row["user_agent"], row["ip"], row["actor_name"]) == (None, None, "")
    assert (row["outcome"], row["severity"], row["schema_id"]) == ("unknown", "High", 2)
    assert (row["occurred_at"], row["kafka_timestamp"]) == (now, now)
    assert row["ingested_at"] == datetime.fromtimestamp((NOW_MS + 5) / 1000, UTC)
    assert (row["kafka_topic"], row["kafka_partition"], row["kafka_offset"]) == (TOPIC, 3, 100)


@pytest.mark.parametrize(
    ("partitioning", "periods"),
    [
        (Partitioning.MONTH, {202312: [4], 202412: [1], 202501: [0, 3], 202502: [2]}),
        (Partitioning.DAY, {20231231: [4], 20241231: [1], 20250101: [0, 3], 20250201: [2]}),
    ],
)
def test_periods_of_utc_in_the_order_of_offsets(
    registry: DictRegistry, partitioning: Partitioning, periods: dict[int, list[int]]
) -> None:
    new_year = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1_000_000)
    times = [new_year, new_year - 1, new_year + 31 * DAY_US, new_year + 5, new_year - 366 * DAY_US - 1]
    result = validator_of(registry, partitioning=partitioning).validate(
        raw_range([message(occurred_at=at) for at in times]), ingested_at_ms=1
    )
    found = {
        period: [offset - 100 for offset in table["kafka_offset"].to_pylist()] for period, table in result.rows.items()
    }
    assert found == periods
    assert list(found) == sorted(found)
    assert {period: len(table) for period, table in result.rows.items()} == {one: len(of) for one, of in found.items()}


def test_mixed_schemas_of_one_range_are_grouped(registry: DictRegistry) -> None:
    other = contract(own("x", "string"))
    values = [
        message(action="0"),
        ruled(action="1"),
        message(3, other, action="2", tenant_id="other", x="y"),
        message(action="3"),
    ]
    keys: list[bytes | None] = [b"acme", b"ruled", b"other", b"acme"]
    result = validator_of(registry).validate(
        raw_range([*values, b"bad", *values], [*keys, b"acme", *keys]), ingested_at_ms=1
    )
    [table] = result.rows.values()
    assert table["action"].to_pylist() == ["0", "3", "0", "3", "1", "1", "2", "2"]
    assert table["kafka_offset"].to_pylist() == [100, 103, 105, 108, 101, 106, 102, 107]
    assert table["schema_id"].to_pylist() == [BASE_ID] * 4 + [2, 2, 3, 3]
    assert table["fields"].to_pylist() == [[]] * 4 + [[("code", "abc")]] * 2 + [[("x", "y")]] * 2


def test_a_contract_without_some_base_fields_gets_their_defaults(registry: DictRegistry) -> None:
    whole = contract()
    small = whole | {
        "fields": [one for one in whole["fields"] if one["name"] in ("event_id", "tenant_id", "occurred_at", "action")]
    }
    schema_id = registry.register(f"{TOPIC}.small-value", small)
    row = accepted(registry, message(schema_id, small, tenant_id="small"), b"small")
    assert (row["actor_type"], row["outcome"], row["severity"]) == ("user", "unknown", "Info")
    assert (row["actor_id"], row["ip"], row["metadata"]) == ("", None, [])


def test_an_enum_symbol_that_the_table_lacks_is_refused(registry: DictRegistry) -> None:
    newer = contract()
    severity = next(one for one in newer["fields"] if one["name"] == "severity")
    severity["type"] = severity["type"] | {"symbols": [*severity["type"]["symbols"], "Fatal"]}
    schema_id = registry.register(f"{TOPIC}-value", newer)
    raw = raw_range([message(schema_id, newer, severity="Fatal"), message(schema_id, newer, severity="Error")])
    result = validator_of(registry).validate(raw, ingested_at_ms=1)
    assert [(one.index, one.code) for one in result.rejected] == [(0, R.FIELD_RULE)]
    assert result.rejected[0].message.startswith("severity must be one of Info, Low")


def test_an_outage_refuses_nothing_and_validation_resumes_afterwards(registry: DictRegistry) -> None:
    validator = validator_of(registry)
    raw = raw_range([message(), b"bad", message(3), ruled()], [b"acme", b"acme", b"acme", b"ruled"])
    registry.down = True
    with pytest.raises(RegistryUnavailable):
        validator.validate(raw, ingested_at_ms=1)
    registry.down = False
    result = validator.validate(raw, ingested_at_ms=1)
    assert [(one.index, one.code) for one in result.rejected] == [(1, R.NOT_FRAMED), (2, R.SCHEMA_NOT_TENANTS)]
    registry.down = True
    again = validator.validate(raw, ingested_at_ms=1)  # all responses, including negative ones, are cached for a while
    assert same(again, result)
    with pytest.raises(RegistryUnavailable):
        validator.validate(raw_range([message(), message(99)]), ingested_at_ms=1)


def by_guid(guid: UUID, framed: bytes) -> bytes:
    """Return a message as it is kept in memory, framed with a GUID instead of an id."""
    value = prepend_guid(framed[HEADER_BYTES:], [(HEADER, b"\x01" + guid.bytes)])
    assert value is not None
    return value


def test_schemas_named_by_their_guid(registry: DictRegistry) -> None:
    base, foreign, nobodys = UUID(int=1), UUID(int=3), UUID(int=99)
    registry.guids = {base: BASE_ID, foreign: 3, UUID(int=2): 2}
    values = [
        by_guid(base, message()),
        message(),
        by_guid(nobodys, message()),
        by_guid(foreign, message()),
        by_guid(base, message()[:-1]),
        by_guid(base, message(description="d" * 5_000)),
    ]
    result = validator_of(registry).validate(raw_range(values), ingested_at_ms=NOW_MS)
    codes = {one.index: one.code for one in result.rejected}
    assert codes == {2: R.SCHEMA_UNKNOWN, 3: R.SCHEMA_NOT_TENANTS, 4: R.AVRO_MALFORMED, 5: R.TOO_LARGE}
    assert str(nobodys) in result.rejected[0].message
    assert result.rejected[0].schema_id is None
    assert [one.schema_id for one in result.rejected[1:]] == [3, BASE_ID, BASE_ID]
    [table] = result.rows.values()
    assert table.num_rows == 2
    ids = table.column("schema_id").to_pylist() if "schema_id" in table.column_names else [BASE_ID]
    assert set(ids) == {BASE_ID}


def test_a_guid_registered_a_moment_ago_counts(registry: DictRegistry) -> None:
    clock = [1_000.0]
    book = SchemaCache(registry, topic=TOPIC, refresh_s=30, clock=lambda: clock[0])
    validator, guid = BatchValidator(book, topic=TOPIC, max_event_bytes=5_000), UUID(int=7)
    for _ in range(3):
        [refused] = validator.validate(raw_range([by_guid(guid, message())]), ingested_at_ms=NOW_MS).rejected
        assert refused.code is R.SCHEMA_UNKNOWN
    assert [what for what, _ in registry.requests].count("id_of") == 1
    registry.guids[guid] = BASE_ID
    clock[0] += REFUSAL_S
    assert not validator.validate(raw_range([by_guid(guid, message())]), ingested_at_ms=NOW_MS).rejected


def test_a_flood_of_unknown_guids_costs_few_requests(registry: DictRegistry) -> None:
    registry.guids = {UUID(int=1): BASE_ID}
    flood = [by_guid(UUID(int=1_000 + number), message()) for number in range(500)]
    values, keys = [*flood, by_guid(UUID(int=1), message(tenant_id="other"))], [b"acme"] * 500 + [b"other"]
    found = validator_of(registry).validate(raw_range(values, keys=keys), ingested_at_ms=NOW_MS)
    assert len([one for one in found.rejected if one.code is R.SCHEMA_UNKNOWN]) == 500
    assert [what for what, _ in registry.requests].count("id_of") == UNKNOWN_GUIDS + 1


def test_guids_wait_for_an_unreachable_registry(registry: DictRegistry) -> None:
    registry.down = True
    with pytest.raises(RegistryUnavailable):
        validator_of(registry).validate(raw_range([by_guid(UUID(int=1), message())]), ingested_at_ms=NOW_MS)


def test_validating_again_gives_the_same_result(registry: DictRegistry) -> None:
    values = [case[4] for case in CASES]
    keys = [case[3] for case in CASES]
    first = validator_of(registry).validate(raw_range(values, keys), ingested_at_ms=1)
    assert same(validator_of(registry).validate(raw_range(values, keys), ingested_at_ms=1), first)


def same(result: ValidationResult, other: ValidationResult) -> bool:
    return result.rejected == other.rejected and all(
        isinstance(table, pa.Table) and table.equals(other.rows[month]) for month, table in result.rows.items()
    )


def test_completed_messages_keep_the_decision_of_earlier_rules(registry: DictRegistry) -> None:
    """Completed messages skip the checks whose rules may have changed since: the tenant of the schema, and the maximum
    event size.
    """
    values = [message(3, contract(own("x", "string")), x="1"), message(description="d" * 5_000), b"bad", message(4)]
    keys: list[bytes | None] = [b"acme"] * len(values)
    assert codes(validator_of(registry).validate(raw_range(values, keys), ingested_at_ms=0)) == [
        R.SCHEMA_NOT_TENANTS,
        R.TOO_LARGE,
        R.NOT_FRAMED,
        R.SCHEMA_NOT_TENANTS,
    ]
    already_committed = validator_of(registry).validate(
        raw_range(values, keys), ingested_at_ms=0, already_committed=104
    )
    assert codes(already_committed) == [R.NOT_FRAMED, R.SCHEMA_NOT_TENANTS]
    assert sum(rows.num_rows for rows in already_committed.rows.values()) == 2
    result = validator_of(registry).validate(raw_range(values, keys), ingested_at_ms=0, already_committed=101)
    assert codes(result) == [R.TOO_LARGE, R.NOT_FRAMED, R.SCHEMA_NOT_TENANTS]


def codes(result: ValidationResult) -> list[R]:
    return [one.code for one in result.rejected]
