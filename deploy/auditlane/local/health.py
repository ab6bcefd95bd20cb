"""Readiness probes of services. A probe is one short request that is safe to repeat."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import urllib3
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from auditlane.contract.librdkafka import client

_TIMEOUT_S = 2.0


class KafkaProbe:
    """Lists a broker's topics. It keeps one client, since every new client starts threads."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Create the probe. `config` contains librdkafka's options, including the bootstrap servers."""
        self._config: dict[str, Any] = {
            **config,
            "log_level": 0,  # connections fail until the broker has started
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 250,
            "socket.connection.setup.timeout.ms": 2_000,
        }
        self._client: AdminClient | None = None

    def is_ready(self) -> bool:
        """Return whether a broker of the cluster responded within two seconds. Raises ConfigError for an invalid
        option.
        """
        if self._client is None:
            if not self._listens():
                return False
            self._client = client(AdminClient, self._config)
        try:
            return bool(self._client.list_topics(timeout=_TIMEOUT_S).brokers)
        except KafkaException:
            return False

    def _listens(self) -> bool:
        """Return whether a broker accepts TCP connections. Checked first because librdkafka waits for a while after a
        refused connection."""
        for server in str(self._config["bootstrap.servers"]).split(","):
            host, _, port = server.rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), _TIMEOUT_S).close()
            except (OSError, ValueError):
                continue
            return True
        return False


def http_is_ready(url: str, pool: urllib3.PoolManager, headers: Mapping[str, str] | None = None) -> bool:
    """Return whether a GET request gets a 200 response within two seconds."""
    try:
        return pool.request("GET", url, headers=headers, timeout=_TIMEOUT_S, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False
