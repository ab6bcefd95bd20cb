"""What a setting must look like, the same for the SDK and the rest. Each check returns the value, or raises ValueError
with a message that follows the variable's name."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]+")
# Kafka's names have 249 characters at most; a dedicated topic adds a dot and a tenant id of up to 100.
TOPIC_LENGTH: Final = 148
_LAST_PORT: Final = 65_535
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")


def topic(value: str) -> str:
    """A topic's name that Kafka takes, with room for a tenant after it."""
    if not _TOPIC.fullmatch(value) or value in (".", ".."):
        raise ValueError("must be letters, digits, '.', '_' or '-'")
    if len(value) > TOPIC_LENGTH:
        raise ValueError(f"must have at most {TOPIC_LENGTH} characters, so that a tenant's id fits behind it")
    return value


def dead_letter_topic(value: str, shared: str) -> str:
    """A topic that no worker reads, or each dead letter would become a dead letter again, without end."""
    if value == shared or value.startswith(f"{shared}."):
        raise ValueError(
            f"{value!r} is among the topics that workers read, {shared} and {shared}.<tenant>; "
            f"set it to a name outside of these, such as {_beside(shared)}"
        )
    if value.replace(".", "_") == shared.replace(".", "_"):
        raise ValueError(
            f"{value!r} differs from the topic {shared} only by '.' and '_', which Kafka does not tell apart; "
            f"set it to another name, such as {_beside(shared)}"
        )
    return value


def _beside(shared: str) -> str:
    return f"{shared}-dead-letters"


def bootstrap(value: str) -> str:
    """Kafka's brokers."""
    for broker in value.split(","):
        host, _, port = broker.strip().rpartition(":")
        if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) <= _LAST_PORT:
            raise ValueError(f"{broker.strip()!r} is not host:port; Kafka's brokers as host:port,host:port")
    return value.strip()


def http_url(value: str) -> str:
    """A URL, without a slash at its end."""
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value.rstrip("/")


def service_url(value: str, account: str) -> str:
    """The URL of a part, whose path is put before every path of its API; `account` names the settings of its account.

    The message never repeats the URL, which may hold a password.
    """
    value = http_url(value.strip())
    if "@" in value:  # wherever it is: a password may hold a slash and the like, which end the part of an account
        raise ValueError(f"must not hold a user or password, which are not read there (an @ is %40); set {account}")
    try:
        url = urlsplit(value)
        host, port = url.hostname, url.port
    except ValueError:
        raise ValueError("must be a URL with a host, and a port up to 65535 if any") from None
    if "?" in value or "#" in value:
        raise ValueError(
            "must end with its path: what follows '?' or '#' is not read; an account is set in "
            f"{account}, everything else in the settings of its own"
        )
    if not host or port == 0 or any(letter.isspace() for letter in value):
        raise ValueError("must name a host, and a port from 1 to 65535 if any, without blanks")
    return value


def is_loopback(host: str) -> bool:
    """Whether a URL's host is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost")


def registry_url(value: str) -> str:
    """The schema registry's URL."""
    return service_url(value, "AUDITLANE_REGISTRY_USER and AUDITLANE_REGISTRY_PASSWORD, or AUDITLANE_REGISTRY_TOKEN")


def clickhouse_url(value: str) -> str:
    """ClickHouse's URL."""
    account = "AUDITLANE_CLICKHOUSE_USER and AUDITLANE_CLICKHOUSE_PASSWORD"
    return service_url(value, f"{account} (the database: AUDITLANE_CLICKHOUSE_DATABASE)")


def issuer(value: str) -> str:
    """A token issuer's URL, left as it is: it must equal what tokens say, to the slash."""
    http_url(value)
    return value


def origins(value: str) -> str:
    """Web origins, separated by commas."""
    for entry in listed(value):
        if not _ORIGIN.fullmatch(entry):
            raise ValueError(f"{entry!r} is not an origin; write scheme://host or scheme://host:port, without a path")
    return value


def networks(value: str) -> str:
    """IP addresses or networks, separated by commas."""
    for entry in listed(value):
        try:
            ipaddress.ip_network(entry)
        except ValueError as error:
            raise ValueError(f"{entry!r} is neither an IP address nor a network: {error}") from None
    return value


def listed(value: str) -> list[str]:
    """The parts of a list that is separated by commas."""
    return [one.strip() for one in value.split(",") if one.strip()]


def file(value: Path) -> Path:
    """A file that exists."""
    if not value.is_file():
        raise ValueError(f"{value} is not a file")
    return value
