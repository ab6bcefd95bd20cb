"""Tests that events accepted over HTTP never become dead letters, because the gateway, the SDK and the worker's
validator agree.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from validating import TOPIC, DictRegistry, base_registry, contract, own, raw_range

from auditlane.contract import rules
from auditlane.contract.tenant_contract import Field
from auditlane.contract.values import as_stored
from auditlane.contract.window import NEWEST, OLDEST
from auditlane.gateway.ingest_service import IngestService
from auditlane.gateway.rate import Rates, pattern_steps
from auditlane.gateway.sender import Sender
from auditlane.runtime.errors import RegistryRefused
from auditlane.runtime.settings import load
from auditlane.sdk import kafka_transport
from auditlane.sdk.encoding import Encoder
from auditlane.sdk.transport import Message, OnBatch, Refused
from auditlane.worker.validation import checks
from auditlane.worker.validation.decoder import arrow_type
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

LIMIT = 2_000
TIME = {"type": "long", "logicalType": "timestamp-micros"}
TIER = {"type": "enum", "name": "Tier", "symbols": ["a", "b", "c"]}
CONTRACTS: dict[str, dict[str, Any]] = {
    "rich": contract(
        own("text", "string", maxLength=6, pattern="[^x]*|x?x?x?xy"),
        own("flag", "boolean"),
        own("count", "int", minimum=-5, maximum=1_000),
        own("big", "long", oneOf=[1, 2**62]),
        own("single", "float", minimum=0.1, maximum=0.3),
        own("choice", "float", oneOf=[0.5, 0.1]),
        own("rate", "double", minimum=-1, maximum=2**53 + 1),
        own("tier", TIER, oneOf=["a", "b"]),
        own("due", TIME),
        actor_id={"maxLength": 5, "pattern": "[a-z]*"},
        metadata={"required": True},
    ),
    "defaults": contract(
        {"name": "text", "type": ["string", "null"], "default": "q", "pattern": "(x*)*y", "maxLength": 9},
        {"name": "due", "type": [TIME, "null"], "default": 2**62},
        {"name": "count", "type": ["long", "null"], "default": 7, "required": True},
        {"name": "single", "type": ["float", "null"], "default": 0.1, "minimum": 0.1},
        {"name": "tier", "type": [TIER, "null"], "default": "c", "oneOf": ["a"]},
        {"name": "flag", "type": "boolean", "default": True},
    ),
    "good": contract(
        {"name": "text", "type": ["string", "null"], "default": "xy", "pattern": "(x*)*y", "maxLength": 9},
        {"name": "count", "type": ["long", "null"], "default": 7, "required": True},
        exclusive=True,
    ),
    "newer": contract(
        outcome={"type": {"type": "enum", "name": "Outcome", "symbols": ["unknown", "success", "failure", "later"]}},
    ),
}
SENDER = Sender("al_1", None, request_id="r-1")


class Delivered:
    """Stands in for the producer. It keeps messages instead of sending them to Kafka."""

    def __init__(self, *_: Any) -> None:
        self.messages: list[tuple[bytes, bytes]] = []
        self.fatal = None

    def produce(self, topic: str, key: bytes, value: bytes, *rest: Any, **more: Any) -> None:
        assert topic == TOPIC
        self.messages.append((key, value))
        for one in (*rest, *more.values()):
            if callable(one) and getattr(one, "func", None):  # partial(waiter.settle, place)
                one(None)

    def produce_all(self, messages: Sequence[Message], on_batch: OnBatch) -> list[Refused]:
        for topic, key, value, *_ in messages:
            self.produce(topic, key, value)
        on_batch.acknowledged(range(len(messages)))
        return []

    def stop(self, *_: Any) -> None: ...

    def abandon(self) -> None: ...

    def is_this_thread(self) -> bool:
        return False


@pytest.fixture(scope="module")
def registry() -> DictRegistry:
    found = base_registry()
    for tenant, schema in CONTRACTS.items():
        found.register(f"{TOPIC}.{tenant}-value", schema)
    found.close = lambda: None  # type: ignore[attr-defined]
    return found


@pytest.fixture(scope="module")
def service(registry: DictRegistry) -> Iterator[IngestService]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka_transport, "KafkaDelivery", Delivered)
        patch.setattr(kafka_transport, "_registry", lambda *_: registry)
        service = IngestService(
            load(kafka_bootstrap="127.0.0.1:1", registry_url="http://127.0.0.1:1", max_event_bytes=LIMIT)
        )
        service.open()
        yield service
        service.close()


def judged(registry: DictRegistry, service: IngestService, posted: list[object]) -> list[bool]:
    """Post events, and assert that the worker stores the accepted ones. Returns, for each event, whether it was
    accepted.
    """
    delivered = service._running()._publisher._delivery.messages  # type: ignore[union-attr]
    delivered.clear()
    results = asyncio.run(service.send(posted, SENDER))
    now_ms = int(time.time() * 1_000)
    validator = BatchValidator(SchemaCache(registry, topic=TOPIC, refresh_s=30), topic=TOPIC, max_event_bytes=LIMIT)
    keys, values = [key for key, _ in delivered], [value for _, value in delivered]
    raw = raw_range(list(values), list(keys), timestamps_ms=[now_ms] * len(values))
    rejected = validator.validate(raw, ingested_at_ms=now_ms).rejected
    assert not rejected, [(one.code, one.message) for one in rejected]
    accepted = [result.error is None for result in results]
    assert sum(accepted) == len(values), [str(one.error) for one in results]
    return accepted


texts = st.text(max_size=8) | st.sampled_from(["", " ", "x", "y", "xy", "xxxxy", "abc", "ABC", "é" * 6, "a" * 3_000])
numbers = st.integers() | st.integers(-10, 1_100) | st.floats() | st.floats(width=32)
numbers |= st.sampled_from([0.1, 0.3, 0.5, 2**53, 2**53 + 1, 2**62, 1e39, 3.4e38, -0.0, 10**400])
times = st.sampled_from(
    [
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "2024-05-01T12:00:00+02:00",
        "2024-05-01T12:00:00",
        "soon",
    ]
)
own_values = st.fixed_dictionaries(
    {},
    optional={
        "text": texts | st.none() | st.lists(texts, max_size=2),
        "flag": st.booleans() | st.none() | st.integers(0, 1),
        "count": numbers | st.none() | st.booleans(),
        "big": numbers,
        "single": numbers | st.none(),
        "choice": numbers,
        "rate": numbers | st.none(),
        "tier": st.sampled_from(["a", "b", "c", "d", ""]) | st.none(),
        "due": times | st.none(),
        "unknown": texts,
    },
)
ips = st.sampled_from(
    ["", "::1", "::ffff:1.2.3.4", "2001:DB8::1", "1.2.3.04", "fe80::1%eth0", "1.2.3.4\n", "1.2.3.256", "::", "1.2.3.4"]
)
base_values = st.fixed_dictionaries(
    {"action": texts | st.just("Login")},
    optional={
        "event_id": st.sampled_from(["01890A5D-AC96-774B-BCCE-B302099A8057", "{01890a5d-ac96-774b-bcce-b302099a8057}"])
        | texts,
        "actor_id": texts | st.just("abc"),
        "description": texts | st.none(),
        "ip": ips,
        "outcome": st.sampled_from(["success", "denied", "later", "failure", ""]),
        "severity": st.sampled_from(["Info", "Critical", "Worse"]),
        "metadata": st.dictionaries(texts, texts, max_size=3),
        "before": st.dictionaries(texts, texts, max_size=2) | texts,
        "user_agent": texts,
        "source": texts,
    },
)
offsets = st.sampled_from([-OLDEST, NEWEST, timedelta(0), -timedelta(days=3_653), timedelta(days=1)])
tenants = st.sampled_from(["base", *CONTRACTS, "a b", "_auditlane", "x" * 100])


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    event: dict[str, Any] = draw(base_values) | {"tenant_id": draw(tenants)}
    if draw(st.booleans()) or "event_id" in event:
        near = timedelta(microseconds=draw(st.integers(-2_000_000, 2_000_000)))
        event["occurred_at"] = (datetime.now(UTC) + draw(offsets) + near).isoformat()
    return event | draw(own_values)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(posted=st.lists(events(), min_size=1, max_size=10))
def test_events_accepted_over_http_are_stored(
    registry: DictRegistry, service: IngestService, posted: list[object]
) -> None:
    judged(registry, service, posted)


BASE = {"action": "Login"}


@pytest.mark.parametrize(
    ("tenant", "given", "accepted"),
    [
        ("base", {}, True),
        ("rich", {"metadata": {"a": "b"}}, True),
        ("rich", {}, False),
        ("rich", {"metadata": {"a": "b"}, "text": "xxxxy"}, True),
        ("rich", {"metadata": {"a": "b"}, "text": "xxxxx"}, False),
        ("rich", {"metadata": {"a": "b"}, "actor_id": "ABC"}, False),
        ("rich", {"metadata": {"a": "b"}, "actor_id": "abcdef"}, False),
        # 0.300000012 as a 32-bit number, which exceeds the maximum
        ("rich", {"metadata": {"a": "b"}, "single": 0.3}, False),
        ("rich", {"metadata": {"a": "b"}, "single": 0.1}, True),
        ("rich", {"metadata": {"a": "b"}, "choice": 0.1}, False),
        ("rich", {"metadata": {"a": "b"}, "choice": 0.5}, True),
        ("rich", {"metadata": {"a": "b"}, "rate": 2**53}, True),
        ("defaults", {"due": "2024-05-01T12:00:00Z", "tier": "a", "text": "xy"}, True),
        # The default does not match the field's own pattern.
        ("defaults", {"due": "2024-05-01T12:00:00Z", "tier": "a"}, False),
        ("defaults", {"due": "2024-05-01T12:00:00Z", "text": "xy"}, False),  # … or is not one of the choices
        ("defaults", {"tier": "a", "text": "xy"}, False),  # … or is not a date in the calendar
        ("good", {}, True),  # written with defaults, which satisfy `required`
        ("good", {"text": "yx"}, False),
        ("newer", {"outcome": "success"}, True),
        ("newer", {"outcome": "denied"}, False),
    ],
)
def test_the_gateway_accepts_what_the_tenants_contract_accepts(
    registry: DictRegistry, service: IngestService, tenant: str, given: dict[str, Any], accepted: bool
) -> None:
    assert judged(registry, service, [BASE | {"tenant_id": tenant} | given]) == [accepted]


KINDS = {
    "string": texts,
    "int": st.integers(-(2**31), 2**31 - 1) | st.integers(-6, 6),
    "long": st.integers(-(2**63), 2**63 - 1) | st.integers(-6, 6),
    "float": st.floats(width=32) | st.sampled_from([0.1, 0.5]),
    "double": st.floats() | st.sampled_from([0.1, 2.0**53]),
    "boolean": st.booleans(),
}
BOUNDS = [0, 1, -5, 2**53, 2**53 + 1, 2**63 - 1]


@st.composite
def ruled(draw: st.DrawFn) -> tuple[str, dict[str, Any], list[Any]]:
    kind = draw(st.sampled_from(sorted(KINDS)))
    wanted: dict[str, Any] = {"required": draw(st.booleans())}
    if kind == "string":
        wanted["maxLength"] = draw(st.sampled_from([1, 3, 4_096]))
        wanted["pattern"] = draw(st.sampled_from([None, "x*y?", "(?:a|é)+", "."]))
    elif kind != "boolean":
        bounds = BOUNDS if kind in ("int", "long") else [*BOUNDS, 0.1, 0.5, 1e300]
        low, high = sorted(draw(st.tuples(st.sampled_from(bounds), st.sampled_from(bounds))))
        wanted |= {"minimum": draw(st.sampled_from([None, low])), "maximum": draw(st.sampled_from([None, high]))}
    if kind != "boolean":
        finite = KINDS[kind].filter(lambda value: isinstance(value, str) or math.isfinite(value))
        wanted["oneOf"] = draw(st.none() | st.lists(finite, min_size=1, max_size=3))
    attributes = {name: value for name, value in wanted.items() if value is not None}
    return kind, attributes, draw(st.lists(st.none() | KINDS[kind], min_size=1, max_size=6))


@settings(max_examples=400, deadline=None)
@given(ruled())
@example(("double", {"oneOf": [-0.0, 2]}, [0.0, -0.0, 2.0, math.nan]))
@example(("double", {"minimum": 2**53 + 1}, [2.0**53, 1.0]))
def test_any_rule_gives_the_same_result_for_a_value_and_a_column(drawn: tuple[str, dict[str, Any], list[Any]]) -> None:
    kind, attributes, given = drawn
    assert not list(rules.problems(attributes, kind))
    parsed = rules.parse(attributes, kind)
    stored = [None if value is None else as_stored(kind, value) for value in given]
    field = Field("x", kind, rules=parsed)
    broken = checks.broken_rules([(field, pa.array(stored, arrow_type(field)))])
    expected = {row: rule for row, value in enumerate(stored) if (rule := rules.check_value(parsed, value))}
    assert {row: rule for row, (_, rule) in broken.items()} == expected


def test_an_invalid_contract_is_refused_by_both(registry: DictRegistry, service: IngestService) -> None:
    """The contract is registered directly in the registry. Its pattern is never run, and other tenants' events are
    accepted.
    """
    costly = "[ab]*(?:" + "|".join(f"a[ab{letter}]{{1000}}" for letter in "defghijklm") + ")c"
    schema = json.dumps(contract(own("text", "string", pattern=costly, maxLength=4_096)))
    with pytest.raises(RegistryRefused, match="states"):
        Encoder.parse(f"{TOPIC}.costly-value", 99, schema)
    schema_id = registry.register(f"{TOPIC}.costly-value", json.loads(schema))
    known = SchemaCache(registry, topic=TOPIC, refresh_s=30).known(schema_id)
    assert known is not None
    assert known.contract is None
    assert "states (limit" in known.problem
    assert judged(registry, service, [BASE | {"tenant_id": "base"}]) == [True]


def test_an_event_after_a_change_is_written_with_the_changed_contract(
    registry: DictRegistry, service: IngestService
) -> None:
    """The gateway still has the base contract in its cache, but the worker would now reject events encoded with it."""
    event = BASE | {"tenant_id": "late"}
    assert judged(registry, service, [event]) == [True]
    registry.register(f"{TOPIC}.late-value", contract(own("x", "string"), exclusive=True))
    service.contract_changed("late")
    assert judged(registry, service, [event]) == [True]


# Limits on the cost of patterns


COSTLY = contract(own("text", "string", maxLength=100, pattern="[ab]*(?:a[abc]{150}|a[abd]{150})e"))
CHEAP = contract(own("mail", "string", maxLength=254, pattern=r"[^@\s]+@[^@\s]+\.[a-z]+"))


def test_each_tenants_patterns_have_a_separate_budget(
    registry: DictRegistry, service: IngestService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service._steps, "_rates", Rates(1, 500_000))  # no tokens are added during the test
    registry.register(f"{TOPIC}.heavy-value", COSTLY)
    registry.register(f"{TOPIC}.light-value", CHEAP)
    service.contract_changed(None)
    for tenant in ("heavy", "light"):  # cached, so later events do not wait for the registry
        asyncio.run(service.own_fields(tenant))
        now = time.monotonic()
        service._running()._publisher._transport._schemas._cache.ask(f"{TOPIC}.{tenant}-value", now, now, alone=True)
    heavy = BASE | {"tenant_id": "heavy", "fields": {"text": "ab" * 50}}
    light = BASE | {"tenant_id": "light", "mail": "someone@acme.example"}
    results = asyncio.run(service.send([heavy] * 40, SENDER))
    codes = [one.error.code if one.error else "" for one in results]
    assert codes[0] == "EVENT_INVALID"  # the event is validated, and the contract rejects it
    assert set(codes[20:]) == {"RATE_LIMITED"}
    assert results[-1].error.retry_after_s > 0  # type: ignore[union-attr]
    results = asyncio.run(service.send([light] * 100 + [heavy], SENDER))
    assert [one.error.code if one.error else "" for one in results] == [""] * 100 + ["RATE_LIMITED"]


@pytest.mark.parametrize(
    ("posted", "steps"),
    [
        ({"a": "x" * 100}, 10_000),
        ({"fields": {"a": "x" * 100}}, 10_000),
        ({"a": "x" * 10}, 0),  # matching is too cheap to be charged
        ({"a": "x" * 9_000}, 409_600),  # longer values are rejected without being matched
        ({"a": "ж" * 100}, 20_000),  # RE2 matches bytes
        ({"a": "😀" * 9_000}, 1_638_400),
        ({"a": ["x"]}, 409_600),
        ({"a": None, "fields": 7}, 0),
        ({}, 0),
        (7, 0),
    ],
)
def test_the_steps_of_an_event(posted: object, steps: int) -> None:
    assert pattern_steps(posted, [("a", 100), ("b", 100)]) == steps
