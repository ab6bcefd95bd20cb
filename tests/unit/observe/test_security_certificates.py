"""Tests that the security check reads certificates from real TLS servers and from files."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from auditlane.observe.security import certificates
from auditlane.observe.security.certificates import Endpoint
from auditlane.observe.security.findings import Gap
from auditlane.runtime.settings import load

NOW = datetime.now(UTC).replace(microsecond=0)


def make(path: Path, ends: datetime) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=90))
        .not_valid_after(ends)
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@contextlib.contextmanager
def served(pem: Path) -> Iterator[int]:
    """Run a TLS server with this certificate, and yield its port. The server closes each connection after the
    handshake.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:  # closed
                    return
                with connection, contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as one:
                    one.recv(1)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(30)


@pytest.mark.parametrize("days", [20, -20])
def test_the_end_of_a_servers_certificate_is_read_even_if_it_has_passed(tmp_path, days):
    ends = NOW + timedelta(days=days)
    pem = make(tmp_path / "server.pem", ends)
    with served(pem) as port:
        found = certificates.of_endpoint(Endpoint("serve", "127.0.0.1", port, str(pem)))
    assert found == certificates.Certificate(f"serve at 127.0.0.1:{port}", ends)


def test_a_certificate_of_an_unknown_authority_is_a_problem(tmp_path):
    pem, other = make(tmp_path / "server.pem", NOW + timedelta(1)), make(tmp_path / "other.pem", NOW + timedelta(1))
    with served(pem) as port:
        found = certificates.of_endpoint(Endpoint("serve", "127.0.0.1", port, str(other)))
    assert isinstance(found, certificates.Certificate)
    assert "self-signed" in found.problem
    assert found.expires is None


def test_an_address_without_a_server_is_a_gap():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    found = certificates.of_endpoint(Endpoint("serve", "127.0.0.1", port))
    assert isinstance(found, Gap)
    assert "refused" in found.reason


def test_every_tls_address_of_the_settings_is_an_endpoint(tmp_path):
    pem = make(tmp_path / "ca.pem", NOW + timedelta(days=9))
    settings = load(
        clickhouse_url="https://clickhouse.internal",
        clickhouse_ca=pem,
        registry_url="http://registry.internal",
        serve_url="https://audit.example.com:8443",
        oidc_issuer="https://issuer.example.com/realm",
        oidc_audience="audit",
        kafka_bootstrap="a.internal:9094,[::1]:9095",
        kafka_extra={"security.protocol": "ssl", "ssl.ca.location": "probe"},
    )
    assert [(one.name, one.host, one.port) for one in certificates.endpoints(settings)] == [
        ("ClickHouse", "clickhouse.internal", 8443),
        ("serve", "audit.example.com", 8443),
        ("the issuer", "issuer.example.com", 443),
        ("Kafka", "a.internal", 9094),
        ("Kafka", "::1", 9095),
    ]
    assert [one.ca for one in certificates.endpoints(settings)] == [str(pem), None, None, None, None]
    [(name, path)] = certificates.files(settings)
    [found] = certificates.of_file(name, path)
    assert found == certificates.Certificate(f"AUDITLANE_CLICKHOUSE_CA ({pem})", NOW + timedelta(days=9))


def test_an_unreadable_file_of_certificates_is_a_gap(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    for path in (tmp_path / "ca.pem", tmp_path / "none.pem"):
        [found] = certificates.of_file("ssl.ca.location", path)
        assert isinstance(found, Gap)
        assert str(path) in found.reason
