"""The services under attack. Each is a process that can be killed, and restarted with the same port and data."""

from __future__ import annotations

from pathlib import Path

from fixtures.clickhouse import EngineProcess
from fixtures.proxy import Proxy, an_insert
from fixtures.registry import RegistryProcess

from chaos.brokers import Brokers


class Parts:
    """Brokers, a registry and ClickHouse. Workers connect to the brokers and ClickHouse through proxies, and tests
    connect directly.
    """

    def __init__(self, folder: Path, nodes: int) -> None:
        self.engine = EngineProcess(folder / "clickhouse")
        self.registry = RegistryProcess(folder / "registry").start()
        self.clickhouse_proxy = Proxy(_port(self.engine.url), an_insert)
        self.brokers = Brokers(folder, nodes)

    def kill_clickhouse(self) -> None:
        self.engine.kill()

    def start_clickhouse(self) -> None:
        self.engine = EngineProcess(self.engine.data, port=_port(self.engine.url))

    def close(self) -> None:
        self.clickhouse_proxy.close()
        if self.engine.process.poll() is None:
            self.engine.kill()
        self.registry.end()
        self.brokers.close()


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
