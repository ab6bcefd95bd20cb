"""Free ports on the loopback interface. The last start's ports are reused, so that printed URLs stay valid."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from auditlane.runtime.errors import PortInUse

HOST = "127.0.0.1"


def is_free(port: int, host: str = HOST) -> bool:
    """Return whether a server could listen on this port now."""
    with socket.socket() as probe:
        # as servers do, so that a port in TIME_WAIT counts as free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free(count: int) -> list[int]:
    """Return `count` different free ports. All are opened at the same time, so that none is returned twice."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def shut_down_connections(ports: Collection[int]) -> None:
    """Shut down the receiving side of this process's connections on these ports. Responses can still be sent."""
    for descriptor in Path("/dev/fd").iterdir():
        with contextlib.suppress(OSError):  # not a socket, or closed in the meantime
            connection = socket.socket(fileno=int(descriptor.name))
            if connection.getsockname()[1] in ports:
                connection.shutdown(socket.SHUT_RD)
            connection.detach()  # its owner keeps using the descriptor


def assign(names: Iterable[str], given: Mapping[str, int], last: Mapping[str, int]) -> dict[str, int]:
    """Assign a port to each name: the given port, or else the last start's if still free, or else any free port.

    Raises PortInUse if a given port is taken.
    """
    chosen: dict[str, int] = {}
    for name in names:
        if port := given.get(name):
            if not is_free(port):
                raise PortInUse(
                    f"Port {port} is in use, so {name} cannot listen on it.",
                    field=name,
                    fix="Stop the process that listens on it, or pass another port (0 chooses a free one).",
                )
            chosen[name] = port
    for name in names:
        port = last.get(name, 0)
        if name not in chosen and port and port not in chosen.values() and is_free(port):
            chosen[name] = port
    rest = [name for name in names if name not in chosen]
    return chosen | dict(zip(rest, free(len(rest)), strict=True))
