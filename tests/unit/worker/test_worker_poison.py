"""Tests messages and schemas that cannot be validated. Whatever the reason, only the messages concerned are
rejected.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from validating import BASE_ID, TOPIC, DictRegistry, base_registry, contract, datum, event, message, own, raw_range

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.reject_codes import RejectCode
from auditlane.contract.wire import frame
from auditlane.runtime.errors import RegistryRefused, RegistryUnavailable
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.sink.dead_letters import headers
from auditlane.worker.validation.batch import RawRange, Rejection, ValidationResult
from auditlane.worker.validation.isolation import TRIES, isolated
from auditlane.worker.validation.registry_patience import (
    FEW_TRIES,
    IMPATIENT_S,
    MOST_KEPT,
    MOST_TRIED,
    PATIENCE_S,
    Patience,
)
from auditlane.worker.validation.schema_cache import LARGEST_ID, SchemaCache
from auditlane.worker.validation.validator import UNKNOWN_IDS, BatchValidator

POISON = 99


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class OneAway(DictRegistry):
    """Responds to every request except those for one schema, for which it returns or raises `fails`."""

    fails: Any = None

    def schema(self, schema_id: int) -> str:
        return self._or_fails(schema_id) or super().schema(schema_id)

    def subjects_of(self, schema_id: int) -> frozenset[str]:
        return self._or_fails(schema_id) or super().subjects_of(schema_id)

    def _or_fails(self, schema_id: int) -> Any:
        if schema_id == POISON and isinstance(self.fails, Exception):
            raise self.fails
        return self.fails if schema_id == POISON else None


def one_away(fails: Any) -> OneAway:
    registry, base = OneAway(), base_registry()
    registry.schemas, registry.registered, registry.fails = base.schemas, base.registered, fails
    return registry


def validator(registry: DictRegistry, clock: Clock | None = None) -> BatchValidator:
    book = SchemaCache(registry, topic=TOPIC, refresh_s=30, clock=clock or Clock())
    return BatchValidator(book, topic=TOPIC, max_event_bytes=100_000)


def judged(
    validator_: BatchValidator, *values: bytes | None, keys: list[bytes | None] | None = None
) -> ValidationResult:
    return validator_.validate(raw_range(list(values), keys), ingested_at_ms=0)


def codes(result: ValidationResult) -> dict[int, RejectCode]:
    return {one.index: one.code for one in result.rejected}


def rows(result: ValidationResult) -> int:
    return sum(one.num_rows for one in result.rows.values())


@pytest.mark.parametrize("schema_id", [1 << 31, (1 << 31) + 7, (1 << 32) - 1])
def test_an_impossible_schema_id_is_unknown_without_a_request(schema_id: int) -> None:
    registry = base_registry()
    result = judged(validator(registry), message(), frame(schema_id, b"x"), message())
    assert codes(result) == {1: RejectCode.SCHEMA_UNKNOWN}
    assert rows(result) == 2
    assert ("schema", schema_id) not in registry.requests


def test_the_largest_id_is_requested() -> None:
    registry = base_registry()
    assert codes(judged(validator(registry), frame(LARGEST_ID, b"x"))) == {0: RejectCode.SCHEMA_UNKNOWN}
    assert ("schema", LARGEST_ID) in registry.requests


FINAL = [
    RegistryRefused("404 without a code", status=404),
    RegistryRefused("422", status=422),
    RegistryRefused("400", status=400),
    RegistryRefused("the server is not a registry", status=200),
    RecursionError("maximum recursion depth exceeded"),
    ValueError("Exceeds the limit (4300 digits) for integer string conversion"),
    KeyError("subject"),
]


@pytest.mark.parametrize("fails", FINAL, ids=repr)
def test_an_error_for_one_id_only_rejects_its_messages(fails: Exception) -> None:
    result = judged(validator(one_away(fails)), message(), frame(POISON, b"x"), message())
    assert codes(result) == {1: RejectCode.SCHEMA_UNKNOWN}
    assert rows(result) == 2


@pytest.mark.parametrize("fails", FINAL, ids=repr)
def test_the_same_error_for_every_id_rejects_nothing(fails: Exception) -> None:
    registry = one_away(fails)

    def subjects() -> frozenset[str]:
        raise fails

    registry.subjects = subjects  # type: ignore[method-assign]
    with pytest.raises(RegistryUnavailable):
        judged(validator(registry), frame(POISON, b"x"))


PASSING = [
    RegistryUnavailable("50001"),
    RegistryRefused("40301", status=403),
    RegistryRefused("401", status=401),
]


@pytest.mark.parametrize("fails", PASSING, ids=repr)
def test_an_error_of_one_id_is_waited_for_a_minute_once_an_hour(fails: Exception) -> None:
    registry, clock = one_away(fails), Clock()
    batch_validator = validator(registry, clock)
    values = [message(), frame(POISON, b"x"), message()]
    for _ in range(int(PATIENCE_S)):
        with pytest.raises(RegistryUnavailable):
            judged(batch_validator, *values)
        clock.now += 1
    assert codes(judged(batch_validator, *values)) == {1: RejectCode.SCHEMA_UNKNOWN}
    clock.now += 10
    registry.fails = RegistryUnavailable("50001")
    assert codes(judged(batch_validator, *values)) == {1: RejectCode.SCHEMA_UNKNOWN}, "it is not waited for again"
    clock.now += IMPATIENT_S
    with pytest.raises(RegistryUnavailable):
        judged(batch_validator, *values)
    registry.fails = registry.schemas[BASE_ID]  # available again, with the base event's text under another id
    clock.now += 10
    assert codes(judged(batch_validator, *values)) == {1: RejectCode.SCHEMA_NOT_TENANTS}


class Failing(DictRegistry):
    """Responds to every request. For each schema in `failing`, the given number of requests fails first."""

    failing: dict[int, int]

    def schema(self, schema_id: int) -> str:
        self._fail(schema_id)
        return super().schema(schema_id)

    def subjects_of(self, schema_id: int) -> frozenset[str]:
        self._fail(-schema_id)
        return super().subjects_of(schema_id)

    def _fail(self, what: int) -> None:
        if self.failing.get(what, 0) > 0:
            self.failing[what] -= 1
            raise RegistryUnavailable("50001")


def in_vain(batch_validator: BatchValidator, clock: Clock, schema_id: int, tenant: str) -> int:
    """Validate a message once a second until it is rejected. Returns the number of attempts."""
    for tries in range(1_000):
        try:
            judged(batch_validator, frame(schema_id, b"x"), keys=[tenant.encode()])
        except RegistryUnavailable:
            clock.now += 1
        else:
            return tries
    raise AssertionError("it waits for ever")


@pytest.mark.parametrize("about", ["schema", "subjects"])
@pytest.mark.parametrize("named", [1, 40])
def test_failed_lookups_of_one_tenant_leave_time_for_the_others(about: str, named: int) -> None:
    registry, clock = Failing(), Clock()
    base = base_registry()
    registry.schemas, registry.registered = base.schemas, base.registered
    registry.failing = dict.fromkeys(range(1_000, 1_000 + named), 1_000_000)
    good = contract(own("amount", "double"))
    theirs = registry.register(f"{TOPIC}.good-value", good)
    batch_validator = validator(registry, clock)
    waited = [in_vain(batch_validator, clock, schema_id, "bad") for schema_id in range(1_000, 1_000 + named)]
    assert waited[0] >= PATIENCE_S
    assert sum(waited[1:]) <= (FEW_TRIES + 1) * MOST_TRIED
    assert all(waited[1:2]), "each request has a few attempts"

    registry.failing[theirs if about == "schema" else -theirs] = 5
    sent = message(theirs, good, tenant_id="good", amount=1.0)
    clock.now += IMPATIENT_S / 2
    for _ in range(5):
        with pytest.raises(RegistryUnavailable):
            judged(batch_validator, sent, keys=[b"good"])
        clock.now += 1
    assert rows(judged(batch_validator, sent, keys=[b"good"])) == 1


def test_a_request_shared_with_a_patient_tenant_is_waited_for_in_bounded_memory() -> None:
    patience, error = Patience(), RegistryUnavailable("50001")
    assert patience.waits(("schema", 1), ["bad"], error, 0)
    assert not patience.waits(("schema", 1), ["bad"], error, PATIENCE_S)
    assert patience.waits(("schema", 2), ["bad", "good"], error, PATIENCE_S)
    assert patience.waits(("schema", 2), ["bad", "good"], error, 1.9 * PATIENCE_S)
    for number in range(MOST_KEPT + 50):
        patience.waits(("schema", number), [f"t{number}"], error, 10 * PATIENCE_S * number)
        patience.waits(("schema", number), [f"t{number}"], error, 10 * PATIENCE_S * number + PATIENCE_S)
    assert len(patience._vain) <= MOST_KEPT
    assert len(patience._open) <= 2


def test_everything_waits_while_the_registry_is_unreachable() -> None:
    registry, clock = base_registry(), Clock()
    batch_validator = validator(registry, clock)
    registry.down = True
    for _ in range(10):
        with pytest.raises(RegistryUnavailable):
            judged(batch_validator, frame(POISON, b"x"))
        clock.now += PATIENCE_S


NO_CONTRACTS = [
    "{",
    "",
    "null",
    "[]",
    '"string"',
    "[" * 100_000 + "]" * 100_000,
    '{"type":"record","name":"a","fields":[{"name":"m","type":' + '{"type":"map","values":' * 3_000 + '"string"'
    + "}" * 3_000 + "}]}",
    json.dumps({"type": "record", "name": "a", "fields": [{"name": "a", "type": "a"}]}),
    json.dumps({"type": "record", "name": "a", "fields": [{}] * 20_000}),
    json.dumps(contract(own("x", "string")) | {"fields": 7}),
    json.dumps(contract(own("x", {"type": "enum", "name": "e", "symbols": [["a"]]}))),
    json.dumps(contract(own("x", {"type": {"type": "enum"}}))),
]  # fmt: skip


@pytest.mark.parametrize("text", NO_CONTRACTS, ids=range(len(NO_CONTRACTS)))
def test_any_schema_registered_under_an_id_affects_its_messages_only(text: str) -> None:
    registry = base_registry()
    registry.schemas[POISON] = text
    registry.registered[f"{TOPIC}.acme-value"] = [POISON]
    result = judged(validator(registry), message(), frame(POISON, b"x"), message())
    assert codes(result)[1] in (RejectCode.SCHEMA_NOT_TENANTS, RejectCode.SCHEMA_UNKNOWN)
    assert rows(result) == 2


def test_a_letter_of_a_schema_with_endless_problems_fits_its_topic() -> None:
    columns = Columns([0], [0], [b"acme"], [b"x"])
    range_ = Range(Partition(TOPIC, 0), "id", 0, 0, columns, "", 1)
    refused = Rejection(0, RejectCode.SCHEMA_NOT_TENANTS, "a problem. " * 100_000, "acme", POISON)
    assert sum(len(name) + len(value or b"") for name, value in headers(range_, refused, task="t")) < 4_000


@pytest.mark.parametrize("value", [None, b"", b"\0", b"\0\0\0\0", b"\1\0\0\0\1x", b"\0\0\0\0\0"])
def test_an_invalid_frame_is_rejected_alone(value: bytes | None) -> None:
    result = judged(validator(base_registry()), message(), value, message())
    assert codes(result).keys() == {1}
    assert rows(result) == 2


@pytest.mark.parametrize("key", [None, b"", b"#", b"\xff", b"a" * 1_000_000, b"a/b", b" "])
def test_a_key_that_names_no_tenant_is_refused_alone(key: bytes | None) -> None:
    result = judged(validator(base_registry()), message(), message(), message(), keys=[b"acme", key, b"acme"])
    assert codes(result).keys() == {1}
    assert result.by_tenant == {"acme": (2, 0), "": (1, 1)}


def test_the_shards_of_a_tenant_are_one_tenant() -> None:
    result = judged(validator(base_registry()), message(), message(), b"x", keys=[b"acme#1", b"acme#2", b"acme#2"])
    assert result.by_tenant == {"acme": (3, 1)}


def test_requests_for_a_tenant_with_many_ids_are_bounded_and_delay_no_other() -> None:
    registry = base_registry()
    contract_id = registry.register(f"{TOPIC}.zoe-value", contract(own("x", "string")))
    registry.schemas[5_000] = registry.schemas.pop(contract_id)
    registry.registered[f"{TOPIC}.zoe-value"] = [5_000]
    values = [frame(100 + at, b"x") for at in range(1_000)]
    text = contract(own("x", "string"))
    values.append(frame(5_000, datum(event(tenant_id="zoe", x="1"), text)))
    result = judged(validator(registry), *values, keys=[b"mallory"] * 1_000 + [b"zoe"])
    assert len(codes(result)) == 1_000
    assert rows(result) == 1
    assert sum(what == "schema" for what, _ in registry.requests) == UNKNOWN_IDS + 1


def numbered(raw: RawRange, bad: set[bytes]) -> ValidationResult:
    """Raise an error if a value is bad, as a bug in validation would. Otherwise, reject every message."""
    if bad & set(raw.values):  # type: ignore[arg-type]
        raise IndexError("a mistake")
    found = [Rejection(at, RejectCode.ACTION_EMPTY, "", None, None) for at in range(len(raw.offsets))]
    return ValidationResult({}, found, {"acme": (len(found), len(found))})


@given(st.integers(1, 60), st.sets(st.integers(0, 59)), st.integers(1, 4))
def test_exactly_the_messages_that_break_validation_are_refused(count: int, bad: set[int], tenants: int) -> None:
    values = [frame(1, str(at).encode()) for at in range(count)]
    keys = [f"t{at % tenants}".encode() for at in range(count)]
    poison = {values[at] for at in bad if at < count}
    result = isolated(raw_range(list(values), list(keys)), lambda raw: numbered(raw, poison))
    assert [one.index for one in result.rejected] == list(range(count))
    not_judged = {one.index for one in result.rejected if one.code is RejectCode.NOT_JUDGED}
    assert not_judged == {at for at in bad if at < count}
    assert sum(of for of, _ in result.by_tenant.values()) == count


def test_a_schema_that_always_fails_costs_bounded_attempts_and_no_neighbour() -> None:
    values = [frame(1 + at % 2, str(at).encode()) for at in range(20_000)]
    poison = {one for one in values if one[4] == 2}
    tries = 0

    def validate(raw: RawRange) -> ValidationResult:
        nonlocal tries
        tries += 1
        return numbered(raw, poison)

    result = isolated(raw_range(list(values)), validate)
    refused = {one.index for one in result.rejected if one.code is RejectCode.NOT_JUDGED}
    assert refused == {at for at in range(20_000) if at % 2}
    assert tries <= 4 * TRIES


def test_an_unreachable_part_rejects_no_messages() -> None:
    def away(raw: RawRange) -> ValidationResult:
        raise RegistryUnavailable("away")

    with pytest.raises(RegistryUnavailable):
        isolated(raw_range([message()]), away)


def test_a_bug_in_validation_loses_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    batch_validator = validator(base_registry())
    whole = batch_validator._validated
    poison = message(action="poison")

    def validate(raw: RawRange, **options: Any) -> ValidationResult:
        if poison in list(raw.values):
            raise MemoryError
        return whole(raw, **options)

    monkeypatch.setattr(batch_validator, "_validated", validate)
    result = judged(batch_validator, *[message() for _ in range(50)], poison, *[message() for _ in range(50)], b"junk")
    assert codes(result) == {50: RejectCode.NOT_JUDGED, 101: RejectCode.NOT_FRAMED}
    offsets = sorted(offset for table in result.rows.values() for offset in table["kafka_offset"].to_pylist())
    assert offsets == [100 + at for at in range(101) if at != 50]
