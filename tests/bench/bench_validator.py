"""Measures validation in CPU microseconds per event: `python tests/bench/bench_validator.py [--rows 50000] [--stages]`.

It measures a single schema, fifty tenant schemas mixed over 200 tenants, and messages of which one in a hundred is
malformed. It prints the best of five runs.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import pstats
import random
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import fastavro

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from validating import NOW_MS, TOPIC, DictRegistry, base_registry, contract, event, own, raw_range

from auditlane.contract.avro import base_schema
from auditlane.contract.wire import frame
from auditlane.worker.validation.batch import RawRange
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

TENANTS = 200
SCHEMAS = 50
RUNS = 5


def one_event(number: int) -> dict[str, Any]:
    return event(
        event_id=str(uuid.uuid4()),
        tenant_id=f"t{number % TENANTS}",
        occurred_at=NOW_MS * 1000 + number,
        action="document.deleted",
        actor_id=f"u{number}",
        actor_name=f"Some Name {number % 500}",
        resource="document",
        resource_id=f"r{number}",
        outcome="success",
        severity="High",
        description="d" * 160,
        ip=f"10.{number % 250}.{number // 250 % 250}.{number % 255}",
        user_agent="Mozilla/5.0 " + "z" * 120,
        request_id=str(uuid.uuid4()),
        source="svc",
        metadata={f"key{one}": "v" * 20 for one in range(2 + number % 3)},
    )


def encoded(parsed: Any, schema_id: int, values: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed, values)
    return frame(schema_id, out.getvalue())


def one_schema(rows: int) -> tuple[DictRegistry, RawRange]:
    parsed = fastavro.parse_schema(base_schema())
    return base_registry(), ranged([encoded(parsed, 1, one_event(number)) for number in range(rows)])


def fifty_schemas(rows: int) -> tuple[DictRegistry, RawRange]:
    registry = base_registry()
    known = []
    for number in range(SCHEMAS):
        names = (f"text_{number}", f"count_{number}", f"cost_{number}")
        fields = zip(names, ("string", "long", "double"), ({"maxLength": 100}, {}, {"minimum": 0}), strict=True)
        schema = contract(*(own(name, kind, **rule) for name, kind, rule in fields))
        each = TENANTS // SCHEMAS
        for tenant in range(number * each, (number + 1) * each):
            schema_id = registry.register(f"{TOPIC}.t{tenant}-value", schema)
        known.append((schema_id, fastavro.parse_schema(schema), names))
    values = []
    for number in range(rows):
        schema_id, parsed, names = known[number % TENANTS // (TENANTS // SCHEMAS)]
        values.append(
            encoded(parsed, schema_id, one_event(number) | dict(zip(names, ("hello", number, number / 3), strict=True)))
        )
    return registry, ranged(values)


def one_in_a_hundred_bad(rows: int) -> tuple[DictRegistry, RawRange]:
    registry, raw = one_schema(rows)
    values: list[Any] = list(raw.values)
    chance = random.Random(1)
    for at in chance.sample(range(rows), rows // 100):
        whole = values[at]
        values[at] = chance.choice(
            [whole[: -chance.randrange(1, 100)], whole + b"xx", whole[:5] + chance.randbytes(100), b"junk"]
        )
    return registry, ranged(values)


def ranged(values: list[Any]) -> RawRange:
    return raw_range(values, [f"t{number % TENANTS}".encode() for number in range(len(values))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--stages", action="store_true", help="print where the time goes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, float] = {}
    for name, build in (
        ("one schema", one_schema),
        ("fifty schemas", fifty_schemas),
        ("1 % malformed", one_in_a_hundred_bad),
    ):
        registry, raw = build(options.rows)
        validator = BatchValidator(
            SchemaCache(registry, topic=TOPIC, refresh_s=30), topic=TOPIC, max_event_bytes=524_288
        )
        validator.validate(raw, ingested_at_ms=NOW_MS)
        costs = []
        for _ in range(RUNS):
            before = time.process_time()
            result = validator.validate(raw, ingested_at_ms=NOW_MS)
            costs.append((time.process_time() - before) / options.rows * 1e6)
        found[name] = round(min(costs), 2)
        size = sum(map(len, (value or b"" for value in raw.values))) / options.rows
        if not options.json:
            print(f"{name:15} {found[name]:6.2f} µs an event of {size:.0f} bytes, {len(result.rejected)} refused")
        if options.stages:
            with cProfile.Profile() as profile:
                validator.validate(raw, ingested_at_ms=NOW_MS)
            pstats.Stats(profile).sort_stats("tottime").print_stats(12)
    if options.json:
        print(json.dumps({"rows": options.rows, "cpu_us_per_event": found}))


if __name__ == "__main__":
    main()
