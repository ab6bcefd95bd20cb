"""The addresses on which auditlane's processes listen, and findings about addresses that other machines can reach."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from pathlib import Path
from typing import Final

from auditlane.observe.security.findings import Finding, Gap, Rule, Severity
from auditlane.runtime import validators
from auditlane.runtime.settings import Settings

_LISTEN: Final = "0A"  # the state of a listening socket in /proc/net/tcp
_MODULES: Final = {"auditlane.local.engine": "clickhouse", "auditlane.local.registry": "registry"}
_COMMANDS: Final = ("serve", "worker")
_ENTRIES: Final = ("auditlane.cli", "auditlane.cli.__main__")

WORKER: Final = Rule(
    "worker-on-network",
    Severity.medium,
    "The worker's /metrics and /health require no credential and report traffic and failures.",
    "Set AUDITLANE_WORKER_HOST to 127.0.0.1, or let a firewall admit only the monitoring.",
)
SERVE: Final = Rule(
    "serve-on-network",
    Severity.low,
    "The API requires a credential, but /health and /metrics do not, and serve itself has no TLS.",
    "Set AUDITLANE_SERVE_HOST to 127.0.0.1, or let a firewall admit only the proxy and the monitoring.",
)
EMBEDDED: Final = Rule(
    "embedded-part-on-network",
    Severity.high,
    "The embedded services are made for one machine: they have no TLS and no access control per tenant.",
    "Start it with --host 127.0.0.1, and use your own brokers, registry and ClickHouse on a network.",
)
_RULES: Final = {"worker": WORKER, "serve": SERVE}


@dataclass(frozen=True, slots=True)
class Listener:
    """An address on which a component listens: kafka, registry, clickhouse, worker or serve."""

    part: str
    host: str
    port: int


def judge(listeners: Iterable[Listener]) -> Iterator[Finding]:
    """Yield a finding for each address that is not a loopback address."""
    for listener in dict.fromkeys(listeners):
        if not validators.is_loopback(listener.host):
            port = f":{listener.port}" if listener.port else ""
            host = f"[{listener.host}]" if ":" in listener.host else listener.host
            yield _RULES.get(listener.part, EMBEDDED).found(f"{listener.part} listens on {host}{port}.")


def configured(settings: Settings) -> list[Listener]:
    """Return the listening addresses that are configured in the settings."""
    return [
        Listener("serve", settings.serve_host, settings.serve_port),
        Listener("worker", settings.worker_host, settings.worker_port),
    ]


def part_of(command: Sequence[str]) -> str:
    """Return the component that a command line starts, or "" if the command is not one of auditlane's."""
    words = [Path(word).name if word.startswith("/") else word for word in command]
    if "kafka.Kafka" in words and any(word.startswith("-Dauditlane.log=") for word in words):
        return "kafka"
    for module, part in _MODULES.items():
        if module in words:
            return part
    for entry, command_name in pairwise(words):
        if entry in ("auditlane", *_ENTRIES) and command_name in _COMMANDS:
            return command_name
    return ""


def running(proc: Path = Path("/proc")) -> Iterator[Listener | Gap]:
    """Yield the listening addresses of this user's auditlane processes, or a Gap if there is no /proc."""
    if not (proc / "net" / "tcp").exists():
        yield Gap("The addresses of running processes are not available on this system.", "Run the check on Linux.")
        return
    sockets = dict(_sockets(proc))
    for folder in proc.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            part = part_of((folder / "cmdline").read_bytes().decode(errors="replace").split("\0"))
            if part:
                for link in (folder / "fd").iterdir():
                    target = str(link.readlink())
                    if target in sockets:
                        yield Listener(part, *sockets[target])
        except OSError:  # it has ended, or belongs to another user
            continue


def _sockets(proc: Path) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield each listening socket as `socket:[inode]`, with its host and port."""
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text().splitlines()[1:]
        except OSError:  # IPv6 is disabled
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN:
                yield f"socket:[{fields[9]}]", _address(fields[1])


def _address(text: str) -> tuple[str, int]:
    """Parse an address in /proc/net/tcp: hexadecimal words in the machine's byte order, and the port."""
    host, _, port = text.partition(":")
    words = struct.pack(f"={len(host) // 8}I", *(int(host[at : at + 8], 16) for at in range(0, len(host), 8)))
    family = socket.AF_INET if len(words) == 4 else socket.AF_INET6
    address: IPv4Address | IPv6Address = ip_address(socket.inet_ntop(family, words))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address), int(port, 16)
