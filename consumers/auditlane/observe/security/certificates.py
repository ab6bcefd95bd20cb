"""Gathers the certificates of the TLS endpoints and files named in the settings."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from auditlane.observe.security.findings import Gap
from auditlane.observe.security.transport import Certificate, brokers
from auditlane.runtime.settings import Settings, variable

_TIMEOUT_S: Final = 5.0
_SYSTEM: Final = "probe"  # librdkafka's name for the system's authorities
_EXPIRED: Final = 10  # OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED
_OWN_BUNDLE: Final = 3  # larger bundles are system collections, which always contain expired certificates


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TLS server and its client's files. Without `ca`, the system's authorities are used."""

    name: str
    host: str
    port: int
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: str | None = None


def endpoints(settings: Settings) -> Iterator[Endpoint]:
    """Yield the TLS endpoints that are named in the settings."""
    urls = (
        ("ClickHouse", settings.clickhouse_url, settings.clickhouse_ca, 8443),
        ("the registry", settings.registry_url, settings.registry_ca, 443),
        ("serve", settings.serve_url, None, 443),
        ("the issuer", settings.oidc_jwks_url or settings.oidc_issuer, settings.oidc_ca, 443),
    )
    for name, url, ca, port in urls:
        split = urlsplit(url)
        if split.scheme == "https" and split.hostname:
            yield Endpoint(name, split.hostname, split.port or port, str(ca) if ca else None)
    extra = settings.kafka_extra
    if str(extra.get("security.protocol", "")).upper().endswith("SSL"):
        for host, port in brokers(settings.kafka_bootstrap):
            yield Endpoint(
                "Kafka",
                host,
                port,
                None if extra.get("ssl.ca.location") == _SYSTEM else extra.get("ssl.ca.location"),
                extra.get("ssl.certificate.location"),
                extra.get("ssl.key.location"),
                extra.get("ssl.key.password"),
            )


def of_endpoint(endpoint: Endpoint) -> Certificate | Gap:
    """Connect, and return the certificate that clients see, or a Gap if there is no TLS server."""
    where = f"{endpoint.name} at {endpoint.host}:{endpoint.port}"
    try:
        context = ssl.create_default_context(cafile=endpoint.ca)
        if endpoint.certificate:
            context.load_cert_chain(endpoint.certificate, endpoint.key, endpoint.key_password)
        with (
            closing(socket.create_connection((endpoint.host, endpoint.port), _TIMEOUT_S)) as connection,
            context.wrap_socket(connection, server_hostname=endpoint.host) as secured,
        ):
            certificate = secured.getpeercert() or {}
        ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        return Certificate(where, datetime.fromtimestamp(ends, UTC))
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == _EXPIRED:
            return Certificate(where, _expiry_unverified(endpoint))
        return Certificate(where, problem=error.verify_message.rstrip("."))
    except (OSError, KeyError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Gap(f"The certificate of {where} could not be read: {reason}.", "Let this machine connect to it.")


def _expiry_unverified(endpoint: Endpoint) -> datetime:
    """Return the expiry of a certificate whose verification failed."""
    from cryptography import x509

    pem = ssl.get_server_certificate((endpoint.host, endpoint.port), timeout=_TIMEOUT_S)
    return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc


def files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield the settings that name a certificate file, each with the file."""
    for field in ("clickhouse_ca", "registry_ca", "oidc_ca"):
        if path := getattr(settings, field):
            yield variable(field), path
    for option in ("ssl.ca.location", "ssl.certificate.location"):
        if (given := settings.kafka_extra.get(option)) and given != _SYSTEM:
            yield f"{option} in AUDITLANE_KAFKA_EXTRA", Path(str(given))


def of_file(name: str, path: Path) -> Iterator[Certificate | Gap]:
    """Yield the certificates in a PEM file. Yields none if it is the system's bundle of authorities."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        yield Gap(f"The certificates of {name} ({path}) could not be read: {reason}.", "Correct the path or the file.")
        return
    if len(found) <= _OWN_BUNDLE:
        for certificate in found:
            yield Certificate(f"{name} ({path})", certificate.not_valid_after_utc)


def gather(settings: Settings) -> list[Certificate | Gap]:
    """Return the certificates of all endpoints and files."""
    found: list[Certificate | Gap] = [of_endpoint(endpoint) for endpoint in endpoints(settings)]
    for name, path in files(settings):
        found.extend(of_file(name, path))
    return found
