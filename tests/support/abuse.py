"""Abuses the service as one tenant, in every way that the API allows: `python abuse.py JSON`, see `Orders`.

It connects only to the given addresses, and ends by itself after `seconds`. It prints a line of JSON when all kinds
have begun, and a line with the response counts at the end.
"""

from __future__ import annotations

import json
import random
import signal
import socket
import struct
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit

import urllib3
from confluent_kafka import Producer

THREADS: Final = 4  # per kind
BODIES: Final = 256
STREAMS: Final = 60
VALUE: Final = 600  # length in characters of the value that a pattern is matched against
JSON: Final = {"content-type": "application/json"}


@dataclass(frozen=True)
class Orders:
    """The abuse to run: one or more of `KINDS`, against one service and one topic, with the tenant's own
    credentials.
    """

    kinds: tuple[str, ...]
    seconds: float
    url: str
    tenant: str
    client_id: str
    token: str  # token of the tenant's client, which writes, reads, exports, configures, and defines the contract
    kafka: str
    topic: str


class Abuse:
    """Sends requests, and counts the responses by kind and status."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.ended = threading.Event()
        self.answers: Counter[str] = Counter()
        self.headers = {"authorization": f"Bearer {orders.token}"}
        self.pool = urllib3.PoolManager(retries=False, timeout=30.0, maxsize=64)

    def ask(self, kind: str, method: str, path: str, *, credential: bool = True, **options: Any) -> Any:
        headers = options.pop("headers", {}) | (self.headers if credential else {})
        try:
            answer = self.pool.request(method, self.orders.url + path, headers=headers, **options)
        except urllib3.exceptions.HTTPError as error:
            self.answers[f"{kind} {type(error).__name__}"] += 1
            return None
        self.answers[f"{kind} {answer.status}"] += 1
        return answer

    def post(self, kind: str, events: list[dict[str, Any]]) -> None:
        self.ask(kind, "POST", "/v1/events", body=json.dumps(events), headers=JSON)

    def again(self) -> Iterator[int]:
        number = 0
        while not self.ended.is_set():
            yield number
            number += 1


def contract(abuse: Abuse) -> None:
    """Set the most expensive pattern that is accepted, and send values for which matching it is expensive."""
    for words in (45, 20, 10, 5, 2, 1):
        pattern = "[ab]*(?:" + "|".join(f"a[ab]{{{90 - number}}}" for number in range(words)) + ")c"
        rules = {"pattern": pattern, "maxLength": VALUE}
        field = {"name": "worst", "type": "String", "rules": rules}
        path = f"/v1/tenants/{quote(abuse.orders.tenant)}/structure/fields"
        answer = abuse.ask("contract", "POST", path, body=json.dumps(field), headers=JSON)
        if answer is not None and answer.status in (201, 409):
            break
    chosen = random.Random(1)
    for _ in abuse.again():
        text = "".join(chosen.choices("ab", k=VALUE))
        abuse.post("contract", [{"action": "worst", "fields": {"worst": text}} for _ in range(50)])


def backdated(abuse: Abuse) -> None:
    """Repeatedly send one event for each month of ten years."""
    for _ in abuse.again():
        now = datetime.now(UTC)
        times = [now - timedelta(days=30.4 * month) for month in range(120)]
        abuse.post("backdated", [{"action": "late", "occurred_at": one.isoformat()} for one in times])


def flood(abuse: Abuse) -> None:
    for _ in abuse.again():
        abuse.post("flood", [{"action": "flood", "description": "x" * 200} for _ in range(1_000)])


def exports(abuse: Abuse) -> None:
    """Export the whole log repeatedly: directly, as PDFs, and through jobs."""
    for number in abuse.again():
        format_ = ("csv", "pdf", "jsonl")[number % 3]
        abuse.ask("exports", "GET", f"/v1/export?format={format_}")
        if number % 5 == 0:
            abuse.ask("exports", "POST", "/v1/exports", body=json.dumps({"format": "pdf"}), headers=JSON)


def searches(abuse: Abuse) -> None:
    """Search for text that does not occur, and request every kind of summary."""
    paths = (
        "events?limit=200&query=nowhere",
        "facets?field=action",
        "histogram",
        "stats",
        "stats/groups?field=actor",
        "events?sort=action",
    )
    for number in abuse.again():
        abuse.ask("searches", "GET", "/v1/" + paths[number % len(paths)])


def streams(abuse: Abuse) -> None:
    with ExitStack() as open_:
        for _ in range(STREAMS // THREADS):
            answer = abuse.ask("streams", "GET", "/v1/events/stream", preload_content=False)
            if answer is not None:
                open_.callback(answer.close)
        abuse.ended.wait()


def refused(abuse: Abuse) -> None:
    for number in abuse.again():
        bad = [{"action": ""}, {"action": "x", "occurred_at": "never"}, {"fields": {"nothing": 1}}, 7] * 100
        body = b"{" * 10_000 if number % 2 else json.dumps(bad).encode()
        abuse.ask("refused", "POST", "/v1/events", body=body, headers=JSON)


def poison(abuse: Abuse) -> None:
    """Produce messages that workers cannot decode directly to Kafka, at a few hundred a second. Only a broker quota
    would limit this.
    """
    producer = Producer({"bootstrap.servers": abuse.orders.kafka, "linger.ms": 5, "log_level": 0})
    chosen, key = random.Random(2), abuse.orders.tenant
    for _ in abuse.again():
        for value in (
            b"", b"\x01garbage", b"\x00" + struct.pack(">I", 2**31 + 5) + b"x", b"\x00" + struct.pack(">I", 2**31 - 2),
            b"\x00\x00\x00\x00\x01" + chosen.randbytes(200), chosen.randbytes(2_000),
        ):  # fmt: skip
            producer.produce(abuse.orders.topic, key=key, value=value)
            abuse.answers["poison sent"] += 1
        producer.flush(10)
        abuse.ended.wait(0.1)


def tokens(abuse: Abuse) -> None:
    """Request tokens with wrong secrets, both well-formed and malformed, for existing and unknown client ids."""
    for number in abuse.again():
        key = {
            "client_id": abuse.orders.client_id if number % 2 else uuid.uuid4().hex,
            "secret": "als_" + "A" * 43 if number % 3 else "x" * 1_000,
        }
        abuse.ask("tokens", "POST", "/v1/token", body=json.dumps(key), headers=JSON, credential=False)


def bodies(abuse: Abuse) -> None:
    """Send requests that announce a body but never send it, with and without credentials."""
    at = urlsplit(abuse.orders.url)
    credentials = ("", f"Authorization: Bearer {abuse.orders.token}\r\n")
    paths = ("/v1/viewer-tokens", "/v1/events", "/v1/token", "/v1/exports")
    for _ in abuse.again():
        with ExitStack() as open_, suppress(OSError):
            for number in range(BODIES // THREADS):
                head = f"POST {paths[number % 4]} HTTP/1.1\r\nHost: x\r\n{credentials[number // 4 % 2]}"
                connection = open_.enter_context(socket.create_connection((at.hostname or "", at.port or 0), 10))
                connection.sendall((head + "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n").encode())
                abuse.answers["bodies begun"] += 1
            abuse.ended.wait(5)


def tests(abuse: Abuse) -> None:
    for _ in abuse.again():
        abuse.ask("tests", "POST", "/v1/test-event")


KINDS: Final[dict[str, Callable[[Abuse], None]]] = {
    way.__name__: way
    for way in (contract, backdated, flood, exports, searches, streams, refused, poison, tokens, bodies, tests)
}


def main() -> None:
    orders = json.loads(sys.argv[1])
    abuse = Abuse(Orders(**orders | {"kinds": tuple(orders["kinds"])}))
    signal.signal(signal.SIGTERM, lambda *_: abuse.ended.set())
    threads = [
        threading.Thread(target=KINDS[kind], args=(abuse,), daemon=True)
        for kind in abuse.orders.kinds
        for _ in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + abuse.orders.seconds
    reported = False
    while not abuse.ended.wait(0.05) and time.monotonic() < until:
        begun = {answer.partition(" ")[0] for answer in abuse.answers.copy()}
        if not reported and begun >= set(abuse.orders.kinds):
            reported = True
            print(json.dumps({"begun": sorted(begun)}), flush=True)
    abuse.ended.set()
    print(json.dumps({"answers": dict(sorted(abuse.answers.items()))}), flush=True)


if __name__ == "__main__":
    main()
