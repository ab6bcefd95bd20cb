"""Findings about unencrypted connections, disabled TLS verification, and certificates. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from auditlane.observe.security.findings import Finding, Rule, Severity
from auditlane.runtime import validators
from auditlane.runtime.settings import Settings

SOON: Final = timedelta(days=7)

KAFKA_PLAIN: Final = Rule(
    "kafka-without-tls",
    Severity.high,
    "Everyone on the network path can read events and the password.",
    'Set "security.protocol" in AUDITLANE_KAFKA_EXTRA to SASL_SSL or SSL, with a TLS listener on the brokers.',
)
REGISTRY_PLAIN: Final = Rule(
    "registry-without-tls",
    Severity.high,
    "Everyone on the network path can read the password and change schemas on their way to the workers.",
    "Use an https:// URL in AUDITLANE_REGISTRY_URL, with AUDITLANE_REGISTRY_CA if its authority is your own.",
)
STORE_PLAIN: Final = Rule(
    "clickhouse-without-tls",
    Severity.high,
    "Everyone on the network path can read the password and every tenant's log.",
    "Use an https:// URL in AUDITLANE_CLICKHOUSE_URL, with AUDITLANE_CLICKHOUSE_CA if its authority is your own.",
)
UNVERIFIED: Final = Rule(
    "kafka-tls-unverified",
    Severity.high,
    "Without this verification, everyone on the network path can pose as a broker and receive the password.",
    "Remove the option from AUDITLANE_KAFKA_EXTRA, and set ssl.ca.location.",
)
EXPIRED: Final = Rule(
    "certificate-expired",
    Severity.critical,
    "Clients that verify the certificate refuse the connection.",
    "Renew the certificate.",
)
EXPIRES_SOON: Final = Rule(
    "certificate-expires-soon",
    Severity.high,
    "Clients that verify the certificate will refuse the connection within a week.",
    "Renew the certificate now, and check why it was not renewed automatically.",
)
EXPIRES: Final = Rule(
    "certificate-expires",
    Severity.medium,
    "Clients that verify the certificate will refuse the connection when it has expired.",
    "Renew the certificate.",
)
UNTRUSTED: Final = Rule(
    "certificate-untrusted",
    Severity.high,
    "Clients that verify it cannot connect, and others send their password to everyone who redirects the connection.",
    "Install a certificate for this host name from an authority that the clients trust, or set its CA bundle.",
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate found at `where`. It has either an expiry or a `problem`, which is the reason why it was
    rejected.
    """

    where: str
    expires: datetime | None = None
    problem: str = ""


def brokers(bootstrap: str) -> list[tuple[str, int]]:
    """Return the host and port of each listed broker."""
    parts = (broker.strip().rpartition(":") for broker in bootstrap.split(",") if broker.strip())
    return [(host.strip("[]"), int(port)) for host, _, port in parts]


def encryption(settings: Settings) -> Iterator[Finding]:
    """Yield findings about network connections without TLS and about disabled verification.

    Connections to the loopback address do not need TLS.
    """
    extra = settings.kafka_extra
    protocol = str(extra.get("security.protocol", "plaintext")).upper()
    remote = [host for host, _ in brokers(settings.kafka_bootstrap) if not validators.is_loopback(host)]
    if remote and not protocol.endswith("SSL"):
        yield KAFKA_PLAIN.found(f"The connection to Kafka at {', '.join(remote)} uses {protocol}.")
    if protocol.endswith("SSL"):
        if str(extra.get("enable.ssl.certificate.verification", "true")).lower() == "false":
            yield UNVERIFIED.found("enable.ssl.certificate.verification is false in AUDITLANE_KAFKA_EXTRA.")
        if str(extra.get("ssl.endpoint.identification.algorithm", "https")).lower() == "none":
            yield UNVERIFIED.found("ssl.endpoint.identification.algorithm is none in AUDITLANE_KAFKA_EXTRA.")
    for url, rule, part in (
        (settings.registry_url, REGISTRY_PLAIN, "the registry"),
        (settings.clickhouse_url, STORE_PLAIN, "ClickHouse"),
    ):
        split = urlsplit(url)
        if split.scheme == "http" and not validators.is_loopback(split.hostname or ""):
            yield rule.found(f"The connection to {part} at {url} is not encrypted.")


def certificates(found: Iterable[Certificate], *, now: datetime, days: int) -> Iterator[Finding]:
    """Yield a finding for each certificate that fails verification, has expired, or expires within `days`."""
    for certificate in found:
        if certificate.problem:
            yield UNTRUSTED.found(f"The certificate of {certificate.where} does not verify: {certificate.problem}.")
        if certificate.expires is None:
            continue
        left = certificate.expires - now
        when = certificate.expires.strftime("%Y-%m-%d %H:%M UTC")
        if left <= timedelta(0):
            yield EXPIRED.found(f"The certificate of {certificate.where} expired on {when}.")
        elif left <= SOON:
            yield EXPIRES_SOON.found(f"The certificate of {certificate.where} expires on {when}.")
        elif left <= timedelta(days=days):
            yield EXPIRES.found(f"The certificate of {certificate.where} expires on {when}.")
