"""The one or three brokers under attack. Workers connect to each broker through a separate proxy."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fixtures.kafka import make_broker, wait_for_broker
from fixtures.kafka_cluster import Cluster
from fixtures.proxy import Proxy, a_commit

from auditlane.local import ports
from auditlane.local.kafka import Broker, Node
from auditlane.runtime import process

HOST = "127.0.0.1"


class Proxies:
    """Combines several proxies. The proxy that receives a matching request injects the fault."""

    def __init__(self, proxies: list[Proxy]) -> None:
        self._proxies = proxies

    @property
    def fired(self) -> Counter[str]:
        return sum((proxy.fired for proxy in self._proxies), Counter())

    def lose_answers(self, times: int = 1, *, matches: Callable[[bytes], bool] | None = None) -> None:
        for proxy in self._proxies:
            proxy.lose_answers(times, matches=matches)

    def delay_answers(self, seconds: float, times: int = 1) -> None:
        for proxy in self._proxies:
            proxy.delay_answers(seconds, times)

    def behave(self) -> None:
        for proxy in self._proxies:
            proxy.behave()

    def refuse(self) -> None:
        for proxy in self._proxies:
            proxy.refuse()

    def close(self) -> None:
        for proxy in self._proxies:
            proxy.close()


class Brokers:
    """A cluster of `count` brokers, which is 1 or 3. Each broker has a second listener that advertises the address of
    its proxy.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self._proxy_of: dict[int, Proxy] = {}
        self._cluster: Cluster | None = None
        if count == 1:
            broker = make_broker(folder)
            self._broker: Broker = replace(broker, settings=self._listeners(broker.node))
            self._running: subprocess.Popen[bytes] = self._broker.start(folder / "kafka.out")
            wait_for_broker(self.bootstrap)
        else:
            self._cluster = Cluster(folder, self._listeners)
        self.proxies = Proxies(list(self._proxy_of.values()))

    def _listeners(self, node: Node) -> dict[str, Any]:
        [proxied] = ports.free(1)
        proxy = self._proxy_of[node.id] = Proxy(proxied, a_commit)
        direct = f"PLAINTEXT://{HOST}:{node.port}"
        return {
            "listeners": f"{direct},PROXIED://{HOST}:{proxied},CONTROLLER://{HOST}:{node.controller_port}",
            "advertised.listeners": f"{direct},PROXIED://{HOST}:{proxy.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }

    @property
    def bootstrap(self) -> str:
        return self._cluster.bootstrap if self._cluster else self._broker.bootstrap

    @property
    def proxied_bootstrap(self) -> str:
        return ",".join(f"{HOST}:{proxy.port}" for proxy in self._proxy_of.values())

    def kill(self) -> None:
        process.end_session(self._running.pid)
        self._running.wait()

    def start(self) -> None:
        self._running = self._broker.start(self.folder / "kafka.out")

    @property
    def cluster(self) -> Cluster:
        assert self._cluster is not None, "there is one broker"
        return self._cluster

    def close(self) -> None:
        self.proxies.close()
        if self._cluster:
            self._cluster.close()
        else:
            process.stop(self._running, grace_s=10)
