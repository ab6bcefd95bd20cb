"""Implements `auditlane capacity`, which estimates the workers, partitions, servers and disks that a load needs."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from math import isfinite
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from auditlane.cli.help_text import examples
from auditlane.cli.plural import number_of
from auditlane.operations.capacity import REPLICAS, Demand, Estimate, estimate, warnings
from auditlane.runtime.errors import InvalidInput

app = typer.Typer(add_completion=False)
_AMOUNT: Final = re.compile(r"(\d+(?:\.\d+)?)([kM]?)")
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)([dmy])")
_TIMES: Final = {"": 1, "k": 1_000, "M": 1_000_000}
_DAYS: Final = {"d": 1, "m": 30, "y": 365}
_MOST_RATE: Final = 100_000_000.0
_MOST_DAYS: Final = 36_500.0


@app.command(
    epilog=examples(
        "capacity --rate 10k --tenants 2000 --retention 13m",
        "capacity --rate 250k --tenants 20000 --retention 400d --over-http 0.3 --json",
    )
)
def command(
    rate: Annotated[
        str,
        typer.Option("--rate", help="Events per second in the busiest hour: a number, with k or M: 800, 10k, 1.5M."),
    ],
    tenants: Annotated[int, typer.Option("--tenants", min=1, help="Number of tenants.")],
    retention: Annotated[
        str, typer.Option("--retention", help="How long ClickHouse keeps events: days, months or years: 90d, 13m, 2y.")
    ],
    kafka_retention: Annotated[
        str, typer.Option("--kafka-retention", help="How long Kafka keeps messages, in the same form.")
    ] = "7d",
    over_http: Annotated[
        float, typer.Option("--over-http", min=0, max=1, help="Fraction of the events that are posted over HTTP.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate the workers, partitions, servers and disks that a load needs.

    The result follows from the unit costs in the docs (Capacity): measured on a small machine and extrapolated, so
    measure your own load before you buy. The command makes no connections.
    """
    demand = Demand(
        rate=amount(rate, "--rate"),
        tenants=tenants,
        retention_days=days(retention, "--retention"),
        kafka_days=days(kafka_retention, "--kafka-retention"),
        over_http=over_http,
    )
    needs = estimate(demand)
    notes = warnings(demand, needs)
    if as_json:
        print(json.dumps({"demand": asdict(demand), "estimate": asdict(needs), "warnings": notes}))
        return
    out = Console(highlight=False, soft_wrap=True)
    for name, value in lines(needs):
        out.print(f"[bold]{name:<11}[/]{escape(value)}")
    for note in notes:
        out.print(f"[yellow]note[/]       {escape(note)}")


def lines(needs: Estimate) -> list[tuple[str, str]]:
    """Return the estimate as pairs of a component and a sentence."""
    shards = f" for each of {needs.shards} shards" if needs.shards > 1 else ""
    found = [
        ("events", f"{large(needs.events_per_month)} a month"),
        (
            "workers",
            (
                f"{needs.workers}{shards}, together {needs.worker_cores:.2f} cores; "
                f"AUDITLANE_WORKER_PROCESSES_TOTAL={needs.workers}, "
                f"AUDITLANE_INSERT_PARTS_PER_SECOND={needs.parts_per_second:g}"
            ),
        ),
        ("topic", f"{number_of(needs.partitions, 'partition')}{shards}, {REPLICAS} replicas"),
        ("kafka", f"{size(needs.kafka_bytes)} of disk, all replicas"),
        (
            "clickhouse",
            (
                f"{number_of(needs.shards, 'shard')} of {REPLICAS} replicas, each {needs.clickhouse_vcpu} vCPU, "
                f"{size(needs.clickhouse_memory_bytes)} of memory, {size(needs.clickhouse_bytes_of_replica)} of disk; "
                f"inserts and merges take {needs.clickhouse_cores:.2f} cores; "
                f"AUDITLANE_CLICKHOUSE_PARTITIONS={needs.table_partitions}"
            ),
        ),
        ("registry", f"up to {needs.registry_requests:,.0f} requests/s, if each tenant has its own contract"),
    ]
    if needs.ingest_processes:
        found.insert(2, ("ingest", f"{needs.ingest_processes} processes, together {needs.ingest_cores:.2f} cores"))
    return found


def amount(text: str, option: str) -> float:
    """Parse a rate, such as 800, 10k or 1.5M. Raises InvalidInput, naming the option."""
    match = _AMOUNT.fullmatch(text.strip())
    value = float(match[1]) * _TIMES[match[2]] if match else 0.0
    if not 0 < value <= _MOST_RATE or not isfinite(value):
        raise InvalidInput(
            f"{text!r} is not a rate of up to 100M events per second.",
            field=option,
            fix="Write a number above 0, such as 800, 10k or 1.5M.",
        )
    return value


def days(text: str, option: str) -> float:
    """Parse a period, such as 90d, 13m or 2y, into days. Raises InvalidInput, naming the option."""
    match = _SPAN.fullmatch(text.strip())
    value = float(match[1]) * _DAYS[match[2]] if match else 0.0
    if not 0 < value <= _MOST_DAYS:
        raise InvalidInput(
            f"{text!r} is not a period of up to a hundred years.",
            field=option,
            fix="Write days, months or years, such as 90d, 13m or 2y.",
        )
    return value


def size(count: float) -> str:
    """Format a size in bytes with two significant digits, as in 950 MB or 4.1 TB."""
    return large(count, (" B", " kB", " MB", " GB", " TB", " PB", " EB"))


def large(count: float, units: tuple[str, ...] = ("", " k", " M", " G", " T", " P", " E")) -> str:
    """Format a number with two or three significant digits and a unit, as in 26 G or 3.1 T."""
    place = 0
    while count >= 999.5 and place < len(units) - 1:
        count /= 1_000
        place += 1
    return f"{count:.1f}{units[place]}" if count < 9.95 and place else f"{count:.0f}{units[place]}"
