"""Whether a service answers: one short question each, safe to ask again and again."""

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
    """Asks a broker for its topics. One client is kept: a new one for each question costs threads."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """`config` is librdkafka's; the bootstrap servers are in it."""
        self._config: dict[str, Any] = {
            **config,
            "log_level": 0,  # a broker that is not there yet is no news
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 250,
            "socket.connection.setup.timeout.ms": 2_000,
        }
        self._client: AdminClient | None = None

    def is_ready(self) -> bool:
        """Whether a broker of the cluster answered within two seconds. Raises ConfigError for a bad option."""
        if self._client is None:
            if not self._listens():
                return False
            self._client = client(AdminClient, self._config)
        try:
            return bool(self._client.list_topics(timeout=_TIMEOUT_S).brokers)
        except KafkaException:
            return False

    def _listens(self) -> bool:
        """A plain connection first: librdkafka would wait a while after its first refusal."""
        for server in str(self._config["bootstrap.servers"]).split(","):
            host, _, port = server.rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), _TIMEOUT_S).close()
            except (OSError, ValueError):
                continue
            return True
        return False


def http_is_ready(url: str, pool: urllib3.PoolManager, headers: Mapping[str, str] | None = None) -> bool:
    """Whether a GET is answered with 200 within two seconds."""
    try:
        return pool.request("GET", url, headers=headers, timeout=_TIMEOUT_S, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False
