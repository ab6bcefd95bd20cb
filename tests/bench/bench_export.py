"""Measures what an export costs the service: `python tests/bench/bench_export.py` (ROWS=5000000).

It exports one tenant's events from a real `auditlane serve` on the embedded engine: directly as CSV and Parquet, and as
JSON Lines through a job. For each export, it prints the rows, bytes and seconds, and the peak memory of `serve`. It
then compares the time for OCSF with that for JSON Lines, over all columns of at most 500,000 rows.

Finally, it compares each format with ClickHouse's own rate: the statement of the export, sent directly with the same
limits and ClickHouse's own block size, whose result is discarded. Parquet is compared with ClickHouse's own Parquet
file. Both are measured alternately (ROUNDS=3), for a third of the rows and for all of them, with the peak memory of
`serve` for each size. An export also counts its events, which is included in its time.

The benchmark fails unless every export has the row count and the sum of checksums that ClickHouse computes, and `serve`
stays below 300 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import pyarrow.parquet as pq
import urllib3
from fixtures.clickhouse import EngineProcess
from measured import machine, usage
from serving import ServeProcess

from auditlane.access.scope import TenantScope
from auditlane.contract.event import BASE_FIELDS
from auditlane.query.export.request import export_spec
from auditlane.query.export.sql import compile_export
from auditlane.runtime.settings import load
from auditlane.sdk import AuditReader
from auditlane.store.client import connect
from auditlane.store.migrate import migrate
from auditlane.store.structure_cache import DEFAULT

TENANT, DATABASE, MOST_MB = "acme", "audit", 300.0
COLUMNS = ("event_id", "action", "actor_id", "description")
# Count and checksums of the expected CSV lines, computed in SQL without any of the service's code. The values contain
# no quotes, so nothing needs to be escaped.
EXPECTED = (
    "SELECT count(), sum(CRC32(concat('\"', toString(event_id), '\",\"', action, '\",\"', actor_id, '\",\"',"
    f" assumeNotNull(description), '\"'))), sum(CRC32(toString(event_id))) FROM {DATABASE}.log"
    f" WHERE tenant_id = '{TENANT}'"
)
FILL = (
    f"INSERT INTO {DATABASE}.events (tenant_id, occurred_at, event_id, action, actor_id, actor_type, resource,"
    " outcome, description, ip, metadata, ingested_at, kafka_partition, kafka_offset, kafka_timestamp)"
    f" SELECT '{TENANT}', toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + number,"
    " generateUUIDv4(number), ['login', 'document.opened', 'document.deleted'][number % 3 + 1],"
    " concat('u-', toString(cityHash64(number) % 10000)), 'user', 'document', 'success',"
    " repeat(hex(cityHash64(number)), 8), toIPv6('10.1.2.3'), map('n', toString(number)), now64(3), 0, number, now64(3)"
    " FROM numbers({start}, {count})"
)
CHUNK = LINES = 500_000
ROUNDS = int(os.environ.get("ROUNDS", "3"))
START = datetime(2026, 1, 1, tzinfo=UTC)


def lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\r\n")
        yield from whole
    assert rest == b"", "the last line is terminated"


def of_csv(answer: urllib3.BaseHTTPResponse) -> tuple[int, int, int]:
    """Return the number of rows, the sum of checksums, and the number of bytes of a CSV export in which every line is
    one event.
    """
    rows, total, size = -1, 0, 0  # the header is not a row

    def counted() -> Iterator[bytes]:
        nonlocal size
        for piece in answer.stream(1 << 18):
            size += len(piece)
            yield piece

    for line in lines(counted()):
        rows += 1
        total += zlib.crc32(line) if rows else 0
    return rows, total, size


def of_parquet(path: Path) -> tuple[int, int, int]:
    rows = total = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["event_id"]):
            rows += batch.num_rows
            total += sum(zlib.crc32(one.encode()) for one in batch.column(0).to_pylist())
    return rows, total, path.stat().st_size


def of_jsonl(path: Path, values: Callable[[Any], Sequence[str]] = itemgetter(*COLUMNS)) -> tuple[int, int, int]:
    rows = total = 0
    with path.open("rb") as file:
        for line in file:
            rows += 1
            total += zlib.crc32(",".join(f'"{value}"' for value in values(json.loads(line))).encode())
    return rows, total, path.stat().st_size


def of_ocsf(path: Path) -> tuple[int, int, int]:
    def values(event: Any) -> Sequence[str]:
        metadata = event["metadata"]
        return metadata["uid"], metadata["event_code"], event["actor"]["user"]["uid"], event["message"]

    return of_jsonl(path, values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=int(os.environ.get("ROWS", "5000000")))
    count = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="auditlane-bench-") as name:
        folder = Path(name)
        engine = EngineProcess(folder / "clickhouse")
        try:
            _measure(engine, folder, count)
        finally:
            engine.stop()


def _measure(engine: EngineProcess, folder: Path, count: int) -> None:
    client = connect(load(clickhouse_url=engine.url, query_timeout_s=300.0))
    migrate(client, DATABASE)
    for start in range(0, count, CHUNK):
        client.command(FILL.format(start=start, count=min(CHUNK, count - start)))
    expected, whole, ids = (int(one) for one in client.query(EXPECTED).result_rows[0])
    part = f"{EXPECTED} AND occurred_at < toDateTime64('{START:%Y-%m-%d %H:%M:%S}', 6, 'UTC') + {LINES}"
    of_part = client.query(part).result_rows[0]
    client.close()
    assert expected == count
    print(json.dumps({"rows": expected, **machine()}), flush=True)
    with ServeProcess(folder, clickhouse_url=engine.url, query_timeout_s=120.0) as serve:
        token = serve.viewer_token(TENANT)
        idle = usage(serve.process.pid).peak_mb
        print(json.dumps({"export": "none yet", "peak_mb": round(idle)}), flush=True)

        def opened(format_: str) -> urllib3.BaseHTTPResponse:
            answer = urllib3.request(
                "GET",
                f"{serve.url}/v1/export?format={format_}&columns={','.join(COLUMNS)}",
                headers={"Authorization": f"Bearer {token}"},
                preload_content=False,
                timeout=300.0,
            )
            assert answer.status == 200, answer.data
            assert int(answer.headers["Auditlane-Rows"]) == expected
            return answer

        def parquet() -> tuple[int, int, int]:
            with opened("parquet") as answer, (folder / "log.parquet").open("wb") as file:
                for piece in answer.stream(1 << 18):
                    file.write(piece)
            return of_parquet(folder / "log.parquet")

        def job() -> tuple[int, int, int]:
            with AuditReader(serve.url, token=token) as reader:
                reader.export(folder / "log.jsonl", columns=COLUMNS)
            return of_jsonl(folder / "log.jsonl")

        ways: dict[str, tuple[Callable[[], tuple[int, int, int]], int]] = {
            "csv": (lambda: of_csv(opened("csv")), whole),
            "parquet": (parquet, ids),
            "jsonl, as a job, downloaded": (job, whole),
        }
        for name, (way, checksum) in ways.items():
            began = time.perf_counter()
            rows, total, size = way()
            seconds = time.perf_counter() - began
            peak = usage(serve.process.pid).peak_mb
            result = {"rows": rows, "mb": round(size / 1e6), "seconds": round(seconds, 1), "peak_mb": round(peak)}
            print(json.dumps({"export": name, **result}), flush=True)
            assert (rows, total) == (expected, checksum), "the export equals ClickHouse's rows"
            assert peak < MOST_MB, f"serve held {peak:.0f} MB"
        _compare(serve, token, folder, (int(of_part[0]), int(of_part[1])))
        for size in (count // 3, count):
            _against_clickhouse(serve, token, engine.url, size)


def _compare(serve: ServeProcess, token: str, folder: Path, expected: tuple[int, int]) -> None:
    """Measure JSON Lines and OCSF alternately, so that the machine's load affects both."""
    until = f"{START + timedelta(seconds=expected[0]):%Y-%m-%dT%H:%M:%SZ}"
    seconds = dict.fromkeys(("jsonl", "ocsf"), 0.0)
    for format_, check in (("jsonl", of_jsonl), ("ocsf", of_ocsf)) * 2:
        path = folder / f"log.{format_}"
        began = time.perf_counter()
        url = f"{serve.url}/v1/export?format={format_}&to={until}&columns={','.join((*BASE_FIELDS, 'ingested_at'))}"
        headers = {"Authorization": f"Bearer {token}"}
        with urllib3.request("GET", url, headers=headers, preload_content=False, timeout=300.0) as answer:
            assert answer.status == 200, answer.data
            with path.open("wb") as file:
                for piece in answer.stream(1 << 18):
                    file.write(piece)
        seconds[format_] += time.perf_counter() - began
        rows, total, size = check(path)
        assert (rows, total) == expected, "the export equals ClickHouse's rows"
        result = {"rows": rows, "mb": round(size / 1e6), "peak_mb": round(usage(serve.process.pid).peak_mb)}
        print(json.dumps({"export": f"{format_}, all columns", **result}), flush=True)
        path.unlink()
    rates = {f"{format_}_per_s": round(2 * expected[0] / spent) for format_, spent in seconds.items()}
    print(json.dumps({"export": "ocsf by jsonl", "seconds": round(seconds["ocsf"] / seconds["jsonl"], 1), **rates}))


def _against_clickhouse(serve: ServeProcess, token: str, url: str, count: int) -> None:
    """Measure the exports of the oldest `count` rows and their statements alternately."""
    client = connect(load(clickhouse_url=url, query_timeout_s=300.0), query_limit=0)
    scope, until = TenantScope.for_operator(TENANT), f"{START + timedelta(seconds=count):%Y-%m-%dT%H:%M:%SZ}"
    Path(f"/proc/{serve.process.pid}/clear_refs").write_text("5")  # resets the peak
    seconds: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for format_ in ("csv", "jsonl", "parquet") * ROUNDS:
        query = {"format": format_, "columns": ",".join(COLUMNS), "to": until}
        began = time.perf_counter()
        with urllib3.request(
            "GET",
            f"{serve.url}/v1/export?{urlencode(query)}",
            headers={"Authorization": f"Bearer {token}"},
            preload_content=False,
            timeout=300.0,
        ) as answer:
            assert int(answer.headers["Auditlane-Rows"]) == count
            for _ in answer.stream(1 << 18):
                pass
        export_s = time.perf_counter() - began
        spec = export_spec(list(query.items()), scope, lambda tenant: DEFAULT)
        bound_ms = time.time_ns() // 1_000_000
        made = compile_export(DATABASE, scope, spec.filter, spec.form, bound_ms=bound_ms)
        settings = made.settings | {"max_threads": 1, "output_format_parquet_compression_method": "zstd"}
        began = time.perf_counter()
        source = client.raw_stream(
            made.sql,
            made.parameters | {"events": "events"},
            settings,
            fmt="Parquet" if format_ == "parquet" else "ArrowStream",
        )
        while source.read(1 << 18):
            pass
        source.close()
        seconds[format_].append((export_s, time.perf_counter() - began))
    client.close()
    for format_, spent in seconds.items():
        export_s, direct_s = map(min, zip(*spent, strict=True))
        result = {"rows": count, "export_per_s": round(count / export_s), "direct_per_s": round(count / direct_s)}
        print(json.dumps({"export": f"{format_} by ClickHouse", **result, "ratio": round(direct_s / export_s, 2)}))
    peak = usage(serve.process.pid).peak_mb
    print(json.dumps({"export": "all formats", "rows": count, "peak_mb": round(peak)}), flush=True)


if __name__ == "__main__":
    main()
