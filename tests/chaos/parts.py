"""The parts under attack, each a process of its own that can be killed and comes back on its port and data."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from fixtures.clickhouse import EngineProcess
from fixtures.kafka import make_broker, wait_for_broker
from fixtures.proxy import Proxy, a_commit, an_insert
from fixtures.registry import RegistryProcess

from auditlane.local import ports, process

HOST = "127.0.0.1"


class Parts:
    """A broker, a registry, a ClickHouse. Workers reach the broker and ClickHouse through proxies, we directly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = EngineProcess(folder / "clickhouse")
        self.registry = RegistryProcess(folder / "registry").start()
        self.clickhouse_proxy = Proxy(_port(self.engine.url), an_insert)
        [proxied] = ports.free(1)
        self.kafka_proxy = Proxy(proxied, a_commit)
        self._broker = self._make_broker(proxied)
        self._running: subprocess.Popen[bytes] = self._broker.start(folder / "kafka.out")
        wait_for_broker(self.bootstrap)

    def _make_broker(self, proxied: int):
        """With a second listener that tells its clients the proxy's address."""
        made = make_broker(self.folder)
        direct = f"PLAINTEXT://{HOST}:{made.node.port}"
        return replace(
            made,
            settings={
                "listeners": f"{direct},PROXIED://{HOST}:{proxied},CONTROLLER://{HOST}:{made.node.controller_port}",
                "advertised.listeners": f"{direct},PROXIED://{HOST}:{self.kafka_proxy.port}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
            },
        )

    @property
    def bootstrap(self) -> str:
        return self._broker.bootstrap

    @property
    def proxied_bootstrap(self) -> str:
        return f"{HOST}:{self.kafka_proxy.port}"

    def kill_broker(self) -> None:
        process.end_session(self._running.pid)
        self._running.wait()

    def start_broker(self) -> None:
        self._running = self._broker.start(self.folder / "kafka.out")

    def kill_clickhouse(self) -> None:
        self.engine.kill()

    def start_clickhouse(self) -> None:
        self.engine = EngineProcess(self.engine.data, port=_port(self.engine.url))

    def close(self) -> None:
        for proxy in (self.clickhouse_proxy, self.kafka_proxy):
            proxy.close()
        if self.engine.process.poll() is None:
            self.engine.kill()
        self.registry.end()
        process.stop(self._running, grace_s=10)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
