"""Generates seeded audit events as Kafka messages of about 565 bytes, for the benchmark's topics."""

from __future__ import annotations

import io
import json
import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import fastavro

from auditlane.contract.avro import base_schema
from auditlane.contract.registry import RegistryClient
from auditlane.contract.wire import frame

TENANTS = 200
SCHEMAS = 50
SCENARIOS = ("one schema", "fifty schemas", "1 % bad")
BAD = 0.01

_VERBS = ("created", "updated", "deleted", "viewed", "exported", "shared", "invited", "approved")
_THINGS = ("document", "user", "api_key", "invoice", "project", "role", "webhook", "report", "workspace", "policy")
_WORDS = "access billing changed from granted group identity member owner plan removed request review setting the to"
_BROWSERS = [
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64")
    for version in range(120, 140)
]
_KEYS = ("region", "plan", "trace_id", "session", "method", "path", "team", "reason", "version", "client")
_OUTCOMES = ("success", "success", "success", "failure", "denied", "unknown")
_SEVERITIES = ("Info", "Info", "Info", "Low", "Medium", "High")


def messages(
    registry: RegistryClient, topic: str, scenario: str, count: int, now_ms: int
) -> Iterator[tuple[str, bytes]]:
    """Register the schemas needed, and then yield `count` messages as (key, value)."""
    chance = random.Random(7)
    encode = _encoders(registry, topic, fifty=scenario == "fifty schemas")
    words = _WORDS.split()
    for number in range(count):
        tenant = chance.randrange(TENANTS)
        event = _event(chance, words, tenant, now_ms * 1_000 - (count - number) * 100)
        value = encode[tenant](event, number)
        if scenario == "1 % bad" and chance.random() < BAD:
            value = _spoiled(chance, value, event, encode[tenant])
        yield event["tenant_id"], value


def _event(chance: random.Random, words: list[str], tenant: int, occurred_us: int) -> dict[str, Any]:
    actor, thing = chance.randrange(300), chance.choice(_THINGS)
    changes = chance.random() < 0.25
    return {
        "event_id": str(uuid.UUID(int=occurred_us // 1_000 << 80 | 7 << 76 | 2 << 62 | chance.getrandbits(62))),
        "tenant_id": f"tenant-{tenant:03}",
        "occurred_at": occurred_us,
        "action": f"{thing}.{chance.choice(_VERBS)}",
        "actor_id": f"user-{tenant:03}-{actor:06}",
        "actor_type": "user" if actor else "system",
        "actor_name": f"Person {actor} of {tenant}",
        "on_behalf_of": None,
        "resource": thing,
        "resource_id": f"{thing[:3]}-{chance.getrandbits(48):012x}",
        "outcome": chance.choice(_OUTCOMES),
        "severity": chance.choice(_SEVERITIES),
        "description": " ".join(chance.choices(words, k=24)),
        "ip": f"10.{tenant}.{actor % 256}.{actor // 4 + 1}",
        "user_agent": _BROWSERS[actor % len(_BROWSERS)],
        "request_id": f"{chance.getrandbits(128):032x}",
        "before": _state(chance, words, actor) if changes else None,
        "after": _state(chance, words, actor) if changes else None,
        "source": "web" if actor % 3 else "api",
        "metadata": {key: f"{chance.getrandbits(40):010x}" for key in chance.sample(_KEYS, chance.randrange(2, 5))},
    }


def _state(chance: random.Random, words: list[str], actor: int) -> str:
    return json.dumps({"name": chance.choice(words), "owner": f"user-{actor:06}", "size": chance.randrange(10_000)})


Encode = Callable[[dict[str, Any], int], bytes]


def _encoders(registry: RegistryClient, topic: str, *, fifty: bool) -> list[Encode]:
    if not fifty:
        return [_encoder(registry.latest(f"{topic}-value").schema_id, base_schema(), ())] * TENANTS
    encoders: list[Encode] = []
    for number in range(SCHEMAS):
        names = (f"text_{number}", f"count_{number}", f"cost_{number}")
        own = [
            {"name": name, "type": ["null", kind], "default": None} | rule
            for name, kind, rule in zip(
                names, ("string", "long", "double"), ({"maxLength": 100}, {}, {"minimum": 0}), strict=True
            )
        ]
        schema = base_schema()
        schema = schema | {"fields": [*schema["fields"], *own]}
        each = TENANTS // SCHEMAS
        for tenant in range(number * each, (number + 1) * each):
            schema_id = registry.register(f"{topic}.tenant-{tenant:03}-value", json.dumps(schema))
            encoders.append(_encoder(schema_id, schema, names))
    return encoders


def _encoder(schema_id: int, schema: Any, names: tuple[str, ...]) -> Encode:
    parsed = fastavro.parse_schema(schema)

    def encode(event: dict[str, Any], number: int) -> bytes:
        out = io.BytesIO()
        own = dict(zip(names, ("hello", number, number / 3), strict=True)) if names else {}
        fastavro.schemaless_writer(out, parsed, event | own)
        return frame(schema_id, out.getvalue())

    return encode


def _spoiled(chance: random.Random, value: bytes, event: dict[str, Any], encode: Encode) -> bytes:
    """Return a message that will be rejected: it is damaged, belongs to another tenant, or has a value that breaks a
    rule.
    """
    match chance.randrange(5):
        case 0:
            return value[: -chance.randrange(1, 100)]
        case 1:
            return value + b"xx"
        case 2:
            return b"{" + value
        case 3:
            return encode(event | {"ip": "10.0.0.999"}, 0)
        case _:
            return encode(event | {"tenant_id": "somebody-else"}, 0)
