"""Validates setting values, for the SDK and everything else.

Each check returns the value or raises ValueError. The message continues a sentence that starts with the variable's
name.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]+")
# A Kafka topic's name has at most 249 characters; a dedicated topic adds a dot and a tenant id of up to 100.
TOPIC_LENGTH: Final = 148
_LAST_PORT: Final = 65_535
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")


def topic(value: str) -> str:
    """Check for a valid Kafka topic name that leaves room for a tenant id after it."""
    if not _TOPIC.fullmatch(value) or value in (".", ".."):
        raise ValueError("must be letters, digits, '.', '_' or '-'")
    if len(value) > TOPIC_LENGTH:
        raise ValueError(f"must have at most {TOPIC_LENGTH} characters, so that a tenant id can be appended")
    return value


def dead_letter_topic(value: str, shared: str) -> str:
    """Check for a topic that workers do not read. If they did, every dead letter would become a dead letter again."""
    if value == shared or value.startswith(f"{shared}."):
        raise ValueError(
            f"{value!r} is among the topics that workers read ({shared} and {shared}.<tenant>); "
            f"set it to another name, such as {_beside(shared)}"
        )
    if value.replace(".", "_") == shared.replace(".", "_"):
        raise ValueError(
            f"{value!r} differs from the topic {shared} only by '.' and '_', which Kafka does not distinguish; "
            f"set it to another name, such as {_beside(shared)}"
        )
    return value


def _beside(shared: str) -> str:
    return f"{shared}-dead-letters"


def bootstrap(value: str) -> str:
    """Check a list of Kafka brokers: `host:port,host:port`."""
    for broker in value.split(","):
        host, _, port = broker.strip().rpartition(":")
        if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) <= _LAST_PORT:
            raise ValueError(f"{broker.strip()!r} is not host:port; list Kafka's brokers as host:port,host:port")
    return value.strip()


def http_url(value: str) -> str:
    """Check for an HTTP URL, and return it without a trailing slash."""
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value.rstrip("/")


def bucket_url(value: str) -> str:
    """Validate a bucket's URL, which may have a prefix, and return it without a trailing slash."""
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._=-]+)*/?", value):
        raise ValueError("must be s3://BUCKET or s3://BUCKET/PREFIX; credentials have settings of their own")
    return value.rstrip("/")


def service_url(value: str, account: str) -> str:
    """Check a service's URL, whose path is the prefix of every API path. `account` names the settings that hold the
    user name and password.

    The message never repeats the URL, which may contain a password.
    """
    value = http_url(value.strip())
    if "@" in value:  # anywhere, since a password may contain a slash, which ends a URL's user information
        raise ValueError(f"must not contain a user or password, which would be ignored (write @ as %40); set {account}")
    try:
        url = urlsplit(value)
        host, port = url.hostname, url.port
    except ValueError:
        raise ValueError("must be a URL with a host and optionally a port up to 65535") from None
    if "?" in value or "#" in value:
        raise ValueError(
            f"must not contain '?' or '#'; set the account in {account}, and everything else in its own setting"
        )
    if not host or port == 0 or any(letter.isspace() for letter in value):
        raise ValueError("must be a URL without spaces, with a host and optionally a port from 1 to 65535")
    return value


def is_loopback(host: str) -> bool:
    """Return whether the host of a URL is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost")


def registry_url(value: str) -> str:
    """Check the schema registry's URL."""
    return service_url(value, "AUDITLANE_REGISTRY_USER and AUDITLANE_REGISTRY_PASSWORD, or AUDITLANE_REGISTRY_TOKEN")


def clickhouse_url(value: str) -> str:
    """Check ClickHouse's URL."""
    account = "AUDITLANE_CLICKHOUSE_USER and AUDITLANE_CLICKHOUSE_PASSWORD"
    return service_url(value, f"{account} (the database: AUDITLANE_CLICKHOUSE_DATABASE)")


def issuer(value: str) -> str:
    """Check the URL of a token issuer. It is returned unchanged, since it must equal the `iss` claim, even in a
    trailing slash.
    """
    http_url(value)
    return value


def sign_in_url(value: str) -> str:
    """Check a sign-in page's address. It must use https, or http on this machine, since people enter their password
    there.
    """
    value = value.strip()
    try:
        url = urlsplit(value)
        host, _ = url.hostname, url.port
    except ValueError:
        raise ValueError("must be a URL with a host and optionally a port up to 65535") from None
    if not host or any(letter.isspace() for letter in value):
        raise ValueError("must be a URL without spaces, such as https://app.example.com/login")
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(host)):
        raise ValueError("must begin with https://; http:// is accepted only for this machine itself, as localhost")
    if "@" in url.netloc or "#" in value:
        raise ValueError("must not contain a user, a password or '#'")
    return value


def origins(value: str) -> str:
    """Check a comma-separated list of web origins."""
    for entry in listed(value):
        if not _ORIGIN.fullmatch(entry):
            raise ValueError(f"{entry!r} is not an origin; write scheme://host or scheme://host:port, without a path")
    return value


def proxies(value: str) -> str:
    """Check a comma-separated list of IP addresses or networks, or a number of proxies."""
    if value.strip().isascii() and value.strip().isdecimal():
        return value
    for entry in listed(value):
        try:
            ipaddress.ip_network(entry)
        except ValueError as error:
            raise ValueError(f"{entry!r} is neither an IP address nor a network: {error}") from None
    return value


def listed(value: str) -> list[str]:
    """Split a comma-separated list, dropping empty entries."""
    return [entry.strip() for entry in value.split(",") if entry.strip()]


def file(value: Path) -> Path:
    """Check for an existing file."""
    if not value.is_file():
        raise ValueError(f"{value} is not a file")
    return value
