"""Tests the provenance of a message, which is the client named in a valid signature or else the topic, and values that
are reserved for auditlane.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from validating import TOPIC, DictRegistry, base_registry, contract, message, own, raw_range

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.provenance import HEADER, TRAIL, Key, signature_of, signer
from auditlane.contract.reject_codes import RejectCode
from auditlane.worker.protocol.partition_state import Range, digest
from auditlane.worker.validation.batch import RawRange, ValidationResult
from auditlane.worker.validation.isolation import isolated
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

KEY, OTHER = Key("k", b"s" * 32), Key("other", b"o" * 32)
SECRETS = {KEY.kid: KEY.secret}
ACME = b"acme"


def signed(value: bytes, client: str = "billing", filled: tuple[str, ...] = (), key: Key = KEY) -> bytes:
    return signer(key, client, filled)(ACME, value)[1]


def judged(
    raw: RawRange, registry: DictRegistry | None = None, secrets: Any = SECRETS, already_committed: int = 0
) -> ValidationResult:
    book = SchemaCache(registry or base_registry(), topic=TOPIC, refresh_s=30)
    validator = BatchValidator(book, topic=TOPIC, max_event_bytes=5_000, secrets=lambda: secrets)
    return validator.validate(raw, ingested_at_ms=1, already_committed=already_committed)


def provenance(result: ValidationResult) -> list[tuple[str, str, list[str]]]:
    rows = [row for table in result.rows.values() for row in table.to_pylist()]
    rows.sort(key=lambda row: row["kafka_offset"])
    return [(row["provenance"], row["provenance_id"], row["defaulted"]) for row in rows]


def test_a_valid_signature_names_the_client_and_anything_else_the_topic() -> None:
    first, other = message(action="One"), message(action="Other")
    header = signed(first)
    cases = [
        (first, header, ("gateway", "billing", [])),
        (first, None, ("kafka", TOPIC, [])),
        (other, header, ("kafka", TOPIC, [])),  # copied from another event
        (first, header[:-1] + b"A", ("kafka", TOPIC, [])),
        (first, signed(first, key=OTHER), ("kafka", TOPIC, [])),
        (first, signed(first, key=Key(KEY.kid, b"guess" * 7)), ("kafka", TOPIC, [])),
        (first, b"nonsense", ("kafka", TOPIC, [])),
        (first, b"", ("kafka", TOPIC, [])),
        (other, signed(other, "payroll", ("source", "request_id")), ("gateway", "payroll", ["request_id", "source"])),
        (other, signed(other, "payroll", ("source",)), ("gateway", "payroll", ["source"])),
    ]
    raw = raw_range([value for value, _, _ in cases], signatures=[header for _, header, _ in cases])
    assert provenance(judged(raw)) == [want for _, _, want in cases]
    assert provenance(judged(raw, secrets={})) == [("kafka", TOPIC, [])] * len(cases)


def test_only_signed_fields_count_as_filled_in() -> None:
    value = message(source="me")
    header = signed(value).replace(b";billing;;", b";billing;source;")
    assert header != signed(value)
    assert provenance(judged(raw_range([value], signatures=[header]))) == [("kafka", TOPIC, [])]


def test_a_signature_beside_another_does_not_count() -> None:
    header = signed(message())
    assert signature_of([("a", b"x"), (HEADER, header)]) == header
    assert signature_of([(HEADER, header), (HEADER, header)]) is None
    assert signature_of([(HEADER, b"junk"), (HEADER, header)]) is None
    assert signature_of([(HEADER, None)]) is None
    assert signature_of([]) is None


def test_custom_fields_with_their_default_count_as_not_set() -> None:
    registry = base_registry()
    schema = contract(
        own("plain", "string"),
        {"name": "plan", "type": ["string", "null"], "default": "free"},
        {"name": "seats", "type": ["int", "null"], "default": 1},
        {"name": "ratio", "type": ["float", "null"], "default": 0.1},
        {"name": "wrong", "type": ["int", "null"], "default": 3},
    )
    encoding = json.loads(json.dumps(schema))
    schema["fields"][-1]["default"] = "x"  # registered before defaults were checked
    schema_id = registry.register(f"{TOPIC}.acme-value", schema)
    other_id = registry.register(f"{TOPIC}.acme-value", contract(own("plain", "string")))

    def value(plan: Any, seats: Any, ratio: Any = None) -> bytes:
        return message(schema_id, encoding, plain="p", plan=plan, seats=seats, ratio=ratio, wrong=3)

    values: list[bytes | None] = [
        value("free", 1, 0.1),
        value("pro", 2, 0.2),
        message(other_id, contract(own("plain", "string")), plain="p"),
        value(None, 1),
        message(source="s"),
    ]
    signatures: list[bytes | None] = [None, None, None, signed(values[3] or b"", filled=("source",)), None]
    rows = provenance(judged(raw_range(values, signatures=signatures), registry))
    assert [defaulted for _, _, defaulted in rows] == [["plan", "seats", "ratio"], [], [], ["source", "seats"], []]


def decided(default: Any) -> dict[str, Any]:
    kind = ["null", "string"] if default is None else ["string", "null"]
    return contract({"name": "decision", "type": kind, "default": default})


@pytest.mark.parametrize(
    ("defaults", "expected"),
    [
        (["approved", "denied"], [["decision"], []]),
        (["approved", "denied", "approved"], [["decision"], [], ["decision"]]),
        ([None, "approved"], [[], []]),
        (["approved", None, "denied"], [["decision"], [], []]),
        (["", "approved"], [["decision"], []]),
    ],
    ids=repr,
)
def test_only_the_first_default_of_a_field_counts_as_not_set(defaults: list[Any], expected: list[list[str]]) -> None:
    """If later defaults counted as well, two events with different values would count as the same event, and the second
    would be hidden.
    """
    registry = base_registry()
    registry.register(f"{TOPIC}.acme-value", contract(own("plain", "string")))
    registry.register(f"{TOPIC}.globex-value", decided("denied"))  # a field of another tenant is a different field
    schemas = [decided(default) for default in defaults]
    ids = [registry.register(f"{TOPIC}.acme-value", one) for one in schemas]
    values: list[bytes | None] = [
        message(schema_id, schema, decision=default)
        for schema_id, schema, default in zip(ids, schemas, defaults, strict=True)
    ]
    assert [one for _, _, one in provenance(judged(raw_range(values), registry))] == expected
    for value, named in zip(values, expected, strict=True):
        assert [one for _, _, one in provenance(judged(raw_range([value]), registry))] == [named], (
            "whatever messages came before"
        )


def test_a_schema_shared_by_two_tenants_is_tracked_by_tenant() -> None:
    registry = base_registry()
    registry.register(f"{TOPIC}.globex-value", decided("denied"))
    shared = registry.register(f"{TOPIC}.globex-value", decided("approved"))
    assert registry.register(f"{TOPIC}.acme-value", decided("approved")) == shared
    tenants = ["acme", "globex", "acme"]
    values: list[bytes | None] = [
        message(shared, decided("approved"), tenant_id=tenant, decision="approved") for tenant in tenants
    ]
    rows = provenance(judged(raw_range(values, [one.encode() for one in tenants]), registry))
    assert [one for _, _, one in rows] == [["decision"], [], ["decision"]]


@pytest.mark.parametrize("source", ["auditlane", "AuditLane", " auditlane ", "audit\u200blane", "ａｕｄｉｔｌａｎｅ"])
def test_only_our_own_signature_makes_us_the_source(source: str) -> None:
    value = message(source=source)
    signatures = [None, signed(value), signed(value, TRAIL, key=OTHER), signed(message(), TRAIL), signed(value, TRAIL)]
    result = judged(raw_range([value] * 5, signatures=signatures))
    assert [(one.index, one.code) for one in result.rejected] == [(at, RejectCode.SOURCE_RESERVED) for at in range(4)]
    assert provenance(result) == [("gateway", TRAIL, [])]


def test_completed_messages_are_not_refused_for_their_source() -> None:
    result = judged(raw_range([message(source="auditlane")] * 2), already_committed=101)
    assert [one.index for one in result.rejected] == [1]


def test_no_tenant_contract_rejects_auditlanes_own_trail() -> None:
    registry = base_registry()
    strict = contract(own("code", "string", required=True, maxLength=3), action={"oneOf": ["None"]})
    strict_id = registry.register(f"{TOPIC}.acme-value", strict)
    ours, theirs = message(source="auditlane"), message()
    broken = message(strict_id, strict, source="auditlane", code=None)
    values: list[bytes | None] = [ours, theirs, ours, broken, message(strict_id, strict, code=None)]
    signatures = [signed(ours, TRAIL), signed(theirs), None, signed(broken, TRAIL), None]
    result = judged(raw_range(values, signatures=signatures), registry)
    assert {one.index: one.code for one in result.rejected} == {
        2: RejectCode.SCHEMA_NOT_TENANTS,
        4: RejectCode.FIELD_RULE,
    }
    assert [who for _, who, _ in provenance(result)].count(TRAIL) == 2


def test_events_accepted_before_an_exclusive_contract_are_stored() -> None:
    registry = base_registry()
    registry.register(f"{TOPIC}.acme-value", contract(own("code", "string", required=True)))
    value = message()
    signatures = [signed(value), None, signed(value, key=OTHER), signed(message(action="other"))]
    result = judged(raw_range([value] * 4, signatures=signatures), registry)
    assert [(one.index, one.code) for one in result.rejected] == [
        (at, RejectCode.SCHEMA_NOT_TENANTS) for at in (1, 2, 3)
    ]


def test_our_own_signature_does_not_admit_another_tenants_schema() -> None:
    registry = base_registry()
    other = contract(own("x", "string"))
    other_id = registry.register(f"{TOPIC}.other-value", other)
    value = message(other_id, other, x="y", source="auditlane")
    [rejection] = judged(raw_range([value], signatures=[signed(value, TRAIL)]), registry).rejected
    assert rejection.code is RejectCode.SCHEMA_NOT_TENANTS


def test_the_digest_of_an_intent_covers_the_signatures() -> None:
    def digested(*signatures: bytes | None) -> str:
        return digest(Columns([1, 2], [0, 0], [ACME] * 2, [b"v"] * 2, list(signatures) or None))

    assert digested() == digested(None, None)
    distinct = [digested(), digested(b"s", None), digested(None, b"s"), digested(b"s", b"s"), digested(b"ss", None)]
    assert len(set(distinct)) == len(distinct)


def test_a_range_keeps_each_message_with_its_signature() -> None:
    columns = Columns([1], [0], [ACME], [b"a"])
    columns.extend(Columns([2, 3], [0, 0], [ACME] * 2, [b"b", b"c"], [b"sb", None]))
    columns.extend(Columns([4], [0], [ACME], [b"d"], [b"sd"]))
    head = columns.take(2)
    assert list(head.signatures) == [None, b"sb"]
    assert list(columns.signatures) == [None, b"sd"]
    range_ = Range(Partition(TOPIC, 0), "id", 1, 2, head, "", 1)
    assert list(RawRange.of("id", range_.partition, head).signatures) == [None, b"sb"]
    assert head.size == 2 * len(ACME) + len(b"ab") + len(b"sb")


def test_a_range_validated_in_parts_keeps_each_message_with_its_signature() -> None:
    values: list[bytes | None] = [message(action=f"A{number}") for number in range(8)]
    signatures: list[bytes | None] = [signed(value or b"") for value in values]
    validator = BatchValidator(
        SchemaCache(base_registry(), topic=TOPIC, refresh_s=30), topic=TOPIC, max_event_bytes=5_000,
        secrets=lambda: SECRETS,
    )  # fmt: skip

    def fails_on_the_third(raw: RawRange) -> ValidationResult:
        if values[2] in list(raw.values):
            raise ZeroDivisionError
        return validator.validate(raw, ingested_at_ms=1)

    result = isolated(raw_range(values, signatures=signatures), fails_on_the_third)
    assert [one.index for one in result.rejected] == [2]
    assert provenance(result) == [("gateway", "billing", [])] * 7
