"""Findings about authentication, passwords, links and limits, which are based on the settings alone. Performs no
I/O.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from auditlane.observe.security.findings import Finding, Rule, Severity
from auditlane.runtime import validators
from auditlane.runtime.settings import Settings, variable

_DAY_S: Final = 86_400
TOKEN_DAYS: Final = 7
_COMMON: Final = frozenset(
    {"password", "passw0rd", "secret", "admin", "changeme", "change-me", "default", "clickhouse", "kafka", "registry"}
    | {"auditlane", "audit", "test", "123456", "12345678", "letmein", "qwerty", "root", "guest"}
)

KAFKA_OPEN: Final = Rule(
    "kafka-unauthenticated",
    Severity.high,
    "Everyone who reaches the brokers can read and write every tenant's events.",
    "Require SASL or client certificates on the brokers' listeners, and set AUDITLANE_KAFKA_EXTRA.",
)
REGISTRY_OPEN: Final = Rule(
    "registry-unauthenticated",
    Severity.high,
    "Everyone who reaches the registry can change the contracts by which workers accept events.",
    "Require authentication at the registry, and set AUDITLANE_REGISTRY_USER and AUDITLANE_REGISTRY_PASSWORD, or "
    "AUDITLANE_REGISTRY_TOKEN.",
)
STORE_OPEN: Final = Rule(
    "clickhouse-unauthenticated",
    Severity.critical,
    "Everyone who reaches ClickHouse with this account can read, change and delete every tenant's log.",
    "Create an account for each role, and set AUDITLANE_CLICKHOUSE_USER and AUDITLANE_CLICKHOUSE_PASSWORD.",
)
COMMON_PASSWORD: Final = Rule(
    "password-common",
    Severity.critical,
    "Attackers try common passwords first.",
    "Generate a random password, such as with: openssl rand -base64 32",
)
SHORT_PASSWORD: Final = Rule(
    "password-short",
    Severity.medium,
    "A short password can be guessed from the service's or from a leaked hash.",
    "Generate a random password, such as with: openssl rand -base64 32",
)
LINKS: Final = Rule(
    "links-without-https",
    Severity.high,
    "Everyone on the network path can read the link and the session that it opens.",
    "Put a proxy with TLS in front of serve, and set AUDITLANE_SERVE_URL to its https:// URL.",
)
ISSUER: Final = Rule(
    "issuer-without-https",
    Severity.critical,
    "Everyone on the network path can replace the issuer's keys and sign in as any user of any tenant.",
    "Use the issuer's https:// URL.",
)
ORIGIN: Final = Rule(
    "origin-without-https",
    Severity.medium,
    "Everyone on the network path can change that origin's pages and act as the user who views them.",
    "List https:// origins only.",
)
PROXIES: Final = Rule(
    "proxies-unrestricted",
    Severity.high,
    "Every client can then choose the address that is recorded for it and that limits count.",
    "List only the addresses of your proxies in AUDITLANE_TRUSTED_PROXIES.",
)
ROWS_UNLIMITED: Final = Rule(
    "query-rows-unlimited",
    Severity.low,
    "One tenant's search may read as many rows as the time limit allows, while other tenants wait.",
    "Set AUDITLANE_QUERY_MAX_ROWS_READ, for example to 1000000000.",
)
RATE_UNLIMITED: Final = Rule(
    "ingest-rate-unlimited",
    Severity.medium,
    "One client can then send as many events as the gateway accepts, at the expense of other tenants.",
    "Set AUDITLANE_INGEST_RATE.",
)
TOKEN_LIFETIME: Final = Rule(
    "token-lifetime",
    Severity.low,
    "A stolen token of a client works until it expires or its key is revoked.",
    "Set AUDITLANE_TOKEN_TTL_S to at most a week.",
)


def authentication(settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each configured service without a credential in the settings."""
    extra = settings.kafka_extra
    protocol = str(extra.get("security.protocol", "plaintext")).upper()
    with_certificate = any(extra.get(f"ssl.{kind}") for kind in ("certificate.location", "keystore.location"))
    with_certificate = with_certificate or any(extra.get(f"ssl.{kind}.pem") for kind in ("certificate", "key"))
    if settings.kafka_bootstrap and not protocol.startswith("SASL") and not (protocol == "SSL" and with_certificate):
        yield KAFKA_OPEN.found(f"No credential for Kafka at {settings.kafka_bootstrap} is configured.")
    registry_credential = settings.registry_user or settings.registry_token.get_secret_value()
    if settings.registry_url and not registry_credential:
        yield REGISTRY_OPEN.found(f"No credential for the registry at {settings.registry_url} is configured.")
    if settings.clickhouse_url and not settings.clickhouse_password.get_secret_value():
        yield STORE_OPEN.found(
            f"The user {settings.clickhouse_user} of ClickHouse at {settings.clickhouse_url} has no password."
        )


def passwords(settings: Settings) -> Iterator[Finding]:
    """Yield findings about configured passwords that are common, short, or equal to the user name."""
    kafka = settings.kafka_extra
    accounts = (
        ("sasl.password in AUDITLANE_KAFKA_EXTRA", kafka.get("sasl.username"), kafka.get("sasl.password")),
        (variable("registry_password"), settings.registry_user, settings.registry_password.get_secret_value()),
        (variable("registry_token"), "", settings.registry_token.get_secret_value()),
        (variable("clickhouse_password"), settings.clickhouse_user, settings.clickhouse_password.get_secret_value()),
    )
    least = settings.security_password_length
    for name, user, given in accounts:
        password = str(given or "")
        if not password:
            continue
        if password.lower() in _COMMON or password.lower() == str(user or "").lower():
            yield COMMON_PASSWORD.found(f"{name} is a common password or the name of its user.")
        elif len(password) < least:
            yield SHORT_PASSWORD.found(f"{name} has fewer than {least} characters.")


def _is_remote_http(url: str) -> bool:
    split = urlsplit(url)
    return split.scheme == "http" and not validators.is_loopback(split.hostname or "")


def links(settings: Settings) -> Iterator[Finding]:
    """Yield findings about plain-HTTP URLs that carry sign-ins or tokens."""
    if _is_remote_http(settings.serve_url):
        yield LINKS.found(f"AUDITLANE_SERVE_URL is {settings.serve_url}.")
    elif not settings.serve_url and not validators.is_loopback(settings.serve_host):
        yield LINKS.found(f"serve listens on {settings.serve_host} without TLS, and AUDITLANE_SERVE_URL is not set.")
    for field in ("oidc_issuer", "oidc_jwks_url"):
        if _is_remote_http(getattr(settings, field)):
            yield ISSUER.found(f"{variable(field)} is {getattr(settings, field)}.")
    for field in ("cors_origins", "frame_ancestors"):
        if insecure := [origin for origin in validators.listed(getattr(settings, field)) if _is_remote_http(origin)]:
            yield ORIGIN.found(f"{variable(field)} lists {', '.join(insecure)}.")


def limits(settings: Settings) -> Iterator[Finding]:
    """Yield findings about limits that are switched off or too high."""
    for entry in validators.listed(settings.trusted_proxies):
        if "/" in entry and ipaddress.ip_network(entry).prefixlen == 0:
            yield PROXIES.found(f"AUDITLANE_TRUSTED_PROXIES contains {entry}, which is every address.")
    if not settings.query_max_rows_read:
        yield ROWS_UNLIMITED.found("AUDITLANE_QUERY_MAX_ROWS_READ is 0, which is unlimited.")
    if not settings.ingest_rate:
        yield RATE_UNLIMITED.found("AUDITLANE_INGEST_RATE is 0, which is unlimited.")
    if settings.token_ttl_s > TOKEN_DAYS * _DAY_S:
        yield TOKEN_LIFETIME.found(f"AUDITLANE_TOKEN_TTL_S is {settings.token_ttl_s / _DAY_S:.0f} days.")
