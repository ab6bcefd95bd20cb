"""Sends requests over a few persistent connections as fast as the responses arrive, and measures the rate and the
latencies.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Load:
    """The result of a load test. `rate` is in requests per second, and `p50` and `p99` are in milliseconds."""

    rate: float
    p50: float
    p99: float


def load(request: bytes, url: str, *, connections: int, requests: int, status: int = 200) -> Load:
    """Send the same request repeatedly. Stops if a response has a different status."""
    return asyncio.run(_load(request, url, connections, requests, status))


def request_of(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _load(request: bytes, url: str, connections: int, requests: int, status: int) -> Load:
    left, times = iter(range(requests)), []
    parts = urlsplit(url)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 24)
        for _ in left:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 %d" % status), head
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            times.append(time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(connections)))
    took = time.perf_counter() - began
    return Load(requests / took, statistics.median(times) * 1e3, statistics.quantiles(times, n=100)[98] * 1e3)
