"""Tests Kafka with TLS, SASL and ACLs.

AUDITLANE_KAFKA_EXTRA is applied, the doctor tells apart the reasons for a rejected connection, and the security check
reads certificates and ACLs.
"""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fixtures.hardened import NAMES, bindings
from fixtures.kafka import make_broker, wait_for_broker
from fixtures.workers import wait_until

from auditlane.contract import acls, topics
from auditlane.local import ports
from auditlane.local.doctor import kafka as doctor
from auditlane.local.doctor.access import Component
from auditlane.local.doctor.finding import Level, guarded
from auditlane.local.health import KafkaProbe
from auditlane.observe.security.catalogue import CHECKS
from auditlane.observe.security.facts import gathered
from auditlane.observe.security.kafka_facts import KafkaFacts
from auditlane.observe.security.run import judge
from auditlane.runtime import process
from auditlane.runtime.settings import load


def make_certificate(folder: Path) -> tuple[str, str, Path]:
    """Create a self-signed certificate for 127.0.0.1. Returns the key and the certificate as PEM, and the path of the
    file to trust.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    trusted = folder / "ca.pem"
    trusted.write_text(pem)
    return secret, pem, trusted


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """Start a broker that accepts only SASL_SSL. Yields its bootstrap servers and the correct librdkafka options."""
    folder = tmp_path_factory.mktemp("secured")
    secret, certificate, trusted = make_certificate(folder)
    (port,) = ports.free(1)
    plain = make_broker(folder)
    protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,CLIENTS:SASL_SSL"
    listeners = f"{plain.properties()['listeners']},CLIENTS://127.0.0.1:{port}"
    login = (
        'org.apache.kafka.common.security.plain.PlainLoginModule required user_auditlane="right" user_guest="guest";'
    )
    settings = {
        "listeners": listeners,
        "advertised.listeners": f"PLAINTEXT://{plain.bootstrap},CLIENTS://127.0.0.1:{port}",
        "listener.security.protocol.map": protocols,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:auditlane",
        "listener.name.clients.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.clients.plain.sasl.jaas.config": login,
        "listener.name.clients.ssl.keystore.type": "PEM",
        "listener.name.clients.ssl.keystore.key": secret.replace("\n", "\\n"),
        "listener.name.clients.ssl.keystore.certificate.chain": certificate.replace("\n", "\\n"),
    }
    broker = dataclasses.replace(plain, settings=settings)
    running = broker.start(folder / "kafka.out")
    try:
        wait_for_broker(broker.bootstrap)
        yield (
            f"127.0.0.1:{port}",
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "PLAIN",
                "sasl.username": "auditlane",
                "sasl.password": "right",
                "ssl.ca.location": str(trusted),
            },
        )
    finally:
        process.stop(running, 20)


def test_the_extra_options_grant_access(secured):
    bootstrap, extra = secured
    assert KafkaProbe({"bootstrap.servers": bootstrap, **extra}).is_ready()
    found = list(doctor.check(load(kafka_bootstrap=bootstrap, kafka_extra=extra)))
    assert found[0].level is Level.OK
    assert found[1].level is Level.OK  # the account of `init` may do everything
    assert [one.fix for one in found[2:]] == ["Run: auditlane init"] * 2  # there are no topics yet


def test_a_wrong_password_is_distinguished_from_a_wrong_certificate(secured, tmp_path):
    bootstrap, extra = secured
    other = make_certificate(tmp_path)[2]
    for change, word, fix in [
        ({"sasl.password": "wrong"}, "rejects the credentials", "sasl.password"),
        ({"ssl.ca.location": str(other)}, "over TLS", "ssl.ca.location"),
        ({"security.protocol": "PLAINTEXT"}, "is unreachable", "require TLS or SASL"),
    ]:
        (found,) = doctor.check(load(kafka_bootstrap=bootstrap, kafka_extra={**extra, **change}))
        assert found.level is Level.FAIL
        assert word in found.message, found
        assert fix in found.fix


def test_the_security_check_reads_acls_and_certificates(secured):
    bootstrap, extra = secured
    settings = load(kafka_bootstrap=bootstrap, kafka_extra=extra)
    admin = topics.admin(settings)
    for principal, operation in (("User:shop", AclOperation.WRITE), ("User:*", AclOperation.READ)):
        binding = AclBinding(
            ResourceType.TOPIC,
            "audit.",
            ResourcePatternType.PREFIXED,
            principal,
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for result in admin.create_acls([binding]).values():
            result.result(20)
    names = ("certificates", "kafka-authorizer", "kafka-broker", "kafka-acls", "topic-retention")
    with gathered(settings, now=datetime.datetime.now(datetime.UTC), role="query") as facts:
        wait_until(lambda: len(KafkaFacts(settings).acls() or ()) == 2)
        report = judge(facts, checks=[check for check in CHECKS if check.name in names])
    assert report.codes == (
        "kafka-anyone-reads-events",
        "certificate-expires-soon",
        "kafka-listener-unauthenticated",
        "kafka-event-writers",
    )
    assert [gap.check for gap in report.not_made] == ["topic-retention"] * 2  # there are no topics
    guest = load(kafka_bootstrap=bootstrap, kafka_extra={**extra, "sasl.username": "guest", "sasl.password": "guest"})
    with gathered(guest, now=datetime.datetime.now(datetime.UTC), role="query") as facts:
        report = judge(facts, checks=[check for check in CHECKS if check.name.startswith("kafka")])
    assert report.findings == ()
    assert [gap.check for gap in report.not_made] == ["kafka-authorizer", "kafka-broker", "kafka-acls"]
    assert all("Describe" in gap.needs for gap in report.not_made)


def test_the_doctor_names_each_missing_acl(secured):
    """The account `guest` is given the documented rights of a worker one by one."""
    bootstrap, extra = secured
    operator = load(kafka_bootstrap=bootstrap, kafka_extra=extra)
    admin, rights = topics.admin(operator), list(acls.allowed("worker", **NAMES))
    guest = load(kafka_bootstrap=bootstrap, kafka_extra={**extra, "sasl.username": "guest", "sasl.password": "guest"})

    def failed():
        return [one for one in doctor.check(guest, Component.WORKER, lag=False) if one.level is Level.FAIL]

    def grant(*given):
        for result in admin.create_acls(bindings("guest", given)).values():
            result.result(20)

    topics.ensure(operator)
    wait_until(lambda: not any("does not exist" in one.message for one in failed()))
    lacking = failed()
    assert [("guest lacks" in one.message, "kafka-acls --add" in one.fix) for one in lacking] == [(True, True)] * 3
    assert "Write on topic audit.events, which worker needs" in lacking[0].message
    assert "--principal User:guest --operation Write --topic audit.events" in lacking[0].fix.replace("allow-", "")
    assert "Write on topic audit.dead-letters" in lacking[1].message
    assert "Describe, Read on group auditlane-worker" in lacking[2].message
    grant(*rights[:2])
    wait_until(lambda: len(failed()) == 1)
    assert "group auditlane-worker" in failed()[0].message
    grant(rights[2])
    wait_until(lambda: failed() == [])
    lacking = [one.message for one in doctor.check(guest, lag=False) if one.level is Level.FAIL]
    assert "lacks Create, DescribeConfigs on topic audit.events, which init needs" in lacking[0]
    assert "on the cluster, which init needs" in lacking[-1]
    assert [one.level for one in doctor.check(operator, lag=False)] == [Level.OK] * 4


def test_an_unknown_librdkafka_option_is_reported():
    settings = load(kafka_bootstrap="127.0.0.1:1", kafka_extra={"sasl.pasword": "x"})
    (found,) = guarded("kafka", lambda: doctor.check(settings))
    assert "sasl.pasword" in found.message
    assert "AUDITLANE_KAFKA_EXTRA" in found.fix


def test_an_unreachable_broker_is_reported():
    (port,) = ports.free(1)
    (found,) = doctor.check(load(kafka_bootstrap=f"127.0.0.1:{port}"))
    assert found.level is Level.FAIL
    assert "is unreachable" in found.message
    assert not KafkaProbe({"bootstrap.servers": f"127.0.0.1:{port}"}).is_ready()
