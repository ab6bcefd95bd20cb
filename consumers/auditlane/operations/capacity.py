"""Estimates the resources that an installation needs for a load. Performs no I/O.

The estimate uses unit costs that the benchmarks measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

from auditlane.store.partitioning import Partitioning

DAY_S: Final = 86_400
MONTH_DAYS: Final = 30
REPLICAS: Final = 3  # number of copies of each partition in Kafka and of each shard in ClickHouse

# CPU seconds per million events: docs/internals/performance.md, with content hashes, unless noted.
WORKER_CPU_S: Final = 4.9  # fifty schemas
SIGNED_CPU_S: Final = 12.3  # the same if the gateway has signed each event
INSERT_CPU_S: Final = 4.7  # ClickHouse, on the replica that receives the insert
MERGE_CPU_S: Final = 4.6  # ClickHouse, on every replica, for two passes; measured separately from the benchmarks
GATEWAY_CPU_S: Final = 40.0  # for events in large requests
ROW_BYTES: Final = 135  # in ClickHouse, after a merge
MESSAGE_BYTES: Final = 223  # in Kafka, assuming that compression leaves 40 % of 557 bytes

POD_CORES: Final = 0.37  # planned load of a worker: half of what one sustains with the default settings
SHARD_RATE: Final = 90_000  # events per second: nine tenths of 100,000, for sequential inserts of 0.5 s
SHARD_PARTS: Final = 8.0  # parts per second of one shard
WINDOW_S: Final = 600  # minimum lifetime of a deduplication token
PARTITIONS_OF_POD: Final = 8  # so that workers can grow eightfold before partitions, and with them keys, move
PARTITIONS_STEP: Final = 12
# vCPU up to this event rate per shard, for merges and above all for queries
QUERY_VCPU: Final = ((10_000, 4), (50_000, 8))
MOST_VCPU: Final = 16
GB_OF_VCPU: Final = 4
REGISTRY_S: Final = 30  # AUDITLANE_REGISTRY_REFRESH_S

# Maximum events per second and shard for a partition, a month or a day, to end up as one part (150 GB).
MONTH_RATE: Final = 500
DAY_RATE: Final = MONTH_RATE * MONTH_DAYS
WORKER_TENANTS: Final = 3_000  # tenants per worker whose contract lookups (2 ms each) take a fifth of its time
PART_TENANTS: Final = 8_192  # maximum number of tenants in one part whose ids are stored as one dictionary


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A load: the average number of events per second in the busiest hour, and how long events are kept.

    `over_http` is the fraction of events that go through the gateway.
    """

    rate: float
    tenants: int
    retention_days: float
    kafka_days: float = 7.0
    over_http: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The resources for a load. Rates are per second. Sizes are in bytes and include all replicas, unless their name
    says otherwise.

    Each shard has its own group of `workers` and its own topic with `partitions`. `parts_per_second` applies to one
    worker. `table_partitions` is the choice for `auditlane init --partitions`.
    """

    events_per_month: float
    shards: int
    workers: int
    worker_cores: float
    partitions: int
    parts_per_second: float
    table_partitions: Partitioning
    ingest_processes: int
    ingest_cores: float
    clickhouse_cores: float
    clickhouse_vcpu: int
    clickhouse_memory_bytes: int
    clickhouse_bytes_of_replica: float
    clickhouse_bytes: float
    kafka_bytes: float
    registry_requests: float


def estimate(demand: Demand) -> Estimate:
    """Return the resources that a load needs. `clickhouse_cores` is the constant load of one replica without
    queries.
    """
    shards = max(1, ceil(demand.rate / SHARD_RATE))
    rate = demand.rate / shards
    worker_cpu = WORKER_CPU_S * (1 - demand.over_http) + SIGNED_CPU_S * demand.over_http
    cores = rate * worker_cpu / 1e6
    workers = ceil(cores / POD_CORES) + 1
    ingest_cores = demand.rate * demand.over_http * GATEWAY_CPU_S / 1e6
    ingest = ceil(2 * ingest_cores) + 1 if demand.over_http else 0
    vcpu = next((vcpu for most, vcpu in QUERY_VCPU if rate <= most), MOST_VCPU)
    stored = rate * DAY_S * demand.retention_days * ROW_BYTES
    return Estimate(
        events_per_month=demand.rate * DAY_S * MONTH_DAYS,
        shards=shards,
        workers=workers,
        worker_cores=cores,
        partitions=ceil(PARTITIONS_OF_POD * workers / PARTITIONS_STEP) * PARTITIONS_STEP,
        parts_per_second=round(SHARD_PARTS / workers, 2),
        table_partitions=Partitioning.DAY if rate > MONTH_RATE else Partitioning.MONTH,
        ingest_processes=ingest,
        ingest_cores=ingest_cores,
        clickhouse_cores=rate * (INSERT_CPU_S + MERGE_CPU_S) / 1e6,
        clickhouse_vcpu=vcpu,
        clickhouse_memory_bytes=vcpu * GB_OF_VCPU * 1_000_000_000,
        clickhouse_bytes_of_replica=stored,
        clickhouse_bytes=stored * shards * REPLICAS,
        kafka_bytes=demand.rate * DAY_S * demand.kafka_days * MESSAGE_BYTES * REPLICAS,
        registry_requests=demand.tenants * (1 + ingest) / REGISTRY_S,
    )


def warnings(demand: Demand, needs: Estimate) -> list[str]:
    """Return one sentence for each limit that the load exceeds, including what to do about it."""
    found = []
    of_worker = demand.tenants / (needs.shards * needs.workers)
    if MONTH_RATE < demand.rate / needs.shards <= DAY_RATE:
        found.append(
            f"A month of a shard exceeds what ClickHouse merges into one part ({MONTH_RATE} events/s): create the "
            "tables with `auditlane init --partitions day`, and set AUDITLANE_CLICKHOUSE_PARTITIONS=day for every "
            "process."
        )
    if demand.rate / needs.shards > DAY_RATE:
        found.append(
            f"A day of a shard exceeds what ClickHouse merges into one part ({DAY_RATE:,} events/s): queries that need "
            "FINAL cost about 60 ns of CPU per row. Let tenants filter by time."
        )
    if needs.shards > 1:
        found.append(
            f"Each of the {needs.shards} shards needs its own topic, group of workers and chart release, and each "
            "tenant's events belong in one of the topics."
        )
    if of_worker > WORKER_TENANTS:
        found.append(
            f"A worker has {of_worker:,.0f} tenants. If each has its own contract, looking them up takes more than a "
            "fifth of its time: raise AUDITLANE_REGISTRY_REFRESH_S, or run more workers."
        )
    if demand.tenants / needs.shards > PART_TENANTS:
        found.append(
            f"A part holds more than {PART_TENANTS:,} tenants: their ids take more space than the estimate says."
        )
    if demand.kafka_days < 7:
        found.append("auditlane requires a retention of at least 7 days in Kafka (AUDITLANE_TOPIC_RETENTION_HOURS).")
    return found
