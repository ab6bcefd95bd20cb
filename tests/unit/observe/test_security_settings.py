"""Tests how the security check turns facts about settings, TLS, addresses, files, keys and disks into findings."""

from __future__ import annotations

import stat
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditlane.access.keys import Client, Secret
from auditlane.access.rotation import SigningKey, SigningKeysContent
from auditlane.observe.security import configuration, disks, files, keys, listeners, transport
from auditlane.observe.security.findings import Gap
from auditlane.observe.security.listeners import Listener
from auditlane.runtime.settings import load

NOW = datetime(2026, 11, 30, tzinfo=UTC)
LONG = "q7Zt2mVx0LdWc9RkYb4N"
SOUND = {
    "kafka_bootstrap": "kafka.internal:9094",
    "kafka_extra": {"security.protocol": "SASL_SSL", "sasl.username": "serve", "sasl.password": LONG},
    "registry_url": "https://registry.internal",
    "registry_user": "serve",
    "registry_password": LONG,
    "clickhouse_url": "https://clickhouse.internal",
    "clickhouse_user": "serve",
    "clickhouse_password": LONG,
    "serve_url": "https://audit.example.com",
    "query_max_rows_read": 1_000_000,
}


def codes(found):
    return [one.code for one in found]


def settings_findings(**changes):
    settings = load(**SOUND | changes)
    return codes(
        [
            *configuration.authentication(settings),
            *configuration.passwords(settings),
            *configuration.links(settings),
            *configuration.limits(settings),
            *transport.encryption(settings),
        ]
    )


def test_sound_settings_have_no_finding():
    assert settings_findings() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kafka_extra": {}}, ["kafka-unauthenticated", "kafka-without-tls"]),
        ({"kafka_extra": {"security.protocol": "SSL"}}, ["kafka-unauthenticated"]),
        ({"kafka_extra": {"security.protocol": "ssl", "ssl.certificate.location": "/c.pem"}}, []),
        ({"kafka_extra": {"security.protocol": "SASL_PLAINTEXT", "sasl.password": LONG}}, ["kafka-without-tls"]),
        ({"kafka_extra": {}, "kafka_bootstrap": "127.0.0.1:9092,localhost:9093"}, ["kafka-unauthenticated"]),
        (
            {"kafka_extra": {**SOUND["kafka_extra"], "enable.ssl.certificate.verification": "false"}},
            ["kafka-tls-unverified"],
        ),
        (
            {"kafka_extra": {**SOUND["kafka_extra"], "ssl.endpoint.identification.algorithm": "none"}},
            ["kafka-tls-unverified"],
        ),
        ({"kafka_extra": {**SOUND["kafka_extra"], "sasl.password": "serve"}}, ["password-common"]),
        ({"registry_user": "", "registry_password": ""}, ["registry-unauthenticated"]),
        ({"registry_user": "", "registry_password": "", "registry_token": LONG}, []),
        ({"registry_password": "Registry"}, ["password-common"]),
        ({"registry_url": "http://registry.internal"}, ["registry-without-tls"]),
        ({"registry_url": "http://[::1]:8081"}, []),
        ({"clickhouse_password": ""}, ["clickhouse-unauthenticated"]),
        ({"clickhouse_password": "q7Zt2mVx"}, ["password-short"]),
        ({"clickhouse_password": "q7Zt2mVx", "security_password_length": 8}, []),
        ({"clickhouse_url": "http://clickhouse.internal"}, ["clickhouse-without-tls"]),
        ({"serve_url": "http://audit.example.com"}, ["links-without-https"]),
        ({"serve_url": "http://127.0.0.1:8480"}, []),
        ({"serve_url": ""}, []),
        ({"serve_url": "", "serve_host": "0.0.0.0"}, ["links-without-https"]),
        ({"oidc_issuer": "http://issuer.example.com", "oidc_audience": "audit"}, ["issuer-without-https"]),
        ({"oidc_jwks_url": "http://issuer.example.com/keys"}, ["issuer-without-https"]),
        ({"cors_origins": "https://a.example, http://b.example"}, ["origin-without-https"]),
        ({"frame_ancestors": "http://localhost:3000"}, []),
        ({"trusted_proxies": "10.0.0.0/8, 0.0.0.0/0"}, ["proxies-unrestricted"]),
        ({"trusted_proxies": "1"}, []),
        ({"query_max_rows_read": 0}, ["query-rows-unlimited"]),
        ({"ingest_rate": 0}, ["ingest-rate-unlimited"]),
        ({"token_ttl_s": 604_801}, ["token-lifetime"]),
    ],
)
def test_a_weak_setting_is_found(changes, expected):
    assert settings_findings(**changes) == expected


def test_no_finding_contains_a_password():
    settings = load(**SOUND | {"clickhouse_password": "hunter2", "registry_password": "letmein"})
    found = list(configuration.passwords(settings))
    assert codes(found) == ["password-common", "password-short"]
    assert not any("hunter2" in str(one) or "letmein" in str(one) for one in found)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (timedelta(0), ["certificate-expired"]),
        (timedelta(days=7), ["certificate-expires-soon"]),
        (timedelta(days=8), ["certificate-expires"]),
        (timedelta(days=30), ["certificate-expires"]),
        (timedelta(days=31), []),
    ],
)
def test_certificates_are_reported_before_they_expire(left, expected):
    certificate = transport.Certificate("serve at a:443", NOW + left)
    assert codes(transport.certificates([certificate], now=NOW, days=30)) == expected


def test_a_certificate_that_does_not_verify_is_found():
    (found,) = transport.certificates([transport.Certificate("serve", problem="self-signed")], now=NOW, days=30)
    assert found.code == "certificate-untrusted"
    assert "self-signed" in found.what


@pytest.mark.parametrize(
    ("listener", "expected"),
    [
        (Listener("worker", "0.0.0.0", 8481), ["worker-on-network"]),
        (Listener("serve", "::", 8480), ["serve-on-network"]),
        (Listener("kafka", "192.0.2.1", 9092), ["embedded-part-on-network"]),
        (Listener("worker", "127.0.0.1", 8481), []),
        (Listener("serve", "::1", 8480), []),
    ],
)
def test_addresses_on_a_network_are_found(listener, expected):
    assert codes(listeners.judge([listener, listener])) == expected


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("/usr/bin/python3 -m auditlane.cli serve --port 1", "serve"),
        ("/opt/venv/bin/python /opt/venv/bin/auditlane worker", "worker"),
        ("python -m auditlane.cli up", ""),
        ("python -m auditlane.local.registry --host 0.0.0.0", "registry"),
        ("python -m auditlane.local.engine", "clickhouse"),
        ("/usr/bin/java -Dauditlane.log=/x -cp a kafka.Kafka server.properties", "kafka"),
        ("/usr/bin/java -cp a kafka.Kafka server.properties", ""),
        ("pytest tests/unit/worker", ""),
    ],
)
def test_a_process_is_recognized_by_its_command_line(command, part):
    assert listeners.part_of(command.split()) == part


def test_listening_sockets_are_read_from_proc(tmp_path):
    def address(*octets):
        return f"{struct.unpack('=I', bytes(octets))[0]:08X}"

    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    line = "   0: {}:2121 00000000:0000 {} 00000000:00000000 00:00000000 00000000  1000 0 {} 1\n"
    mapped = "0" * 16 + address(0, 0, 255, 255) + address(192, 0, 2, 7)
    (tmp_path / "net").mkdir()
    rows = [(address(0, 0, 0, 0), "0A", 11), (address(127, 0, 0, 1), "0A", 12), (address(192, 0, 2, 1), "01", 13)]
    (tmp_path / "net" / "tcp").write_text(head + "".join(line.format(*row) for row in rows))
    (tmp_path / "net" / "tcp6").write_text(head + line.format(mapped, "0A", 14))
    for pid, command, inodes in ((7, "python -m auditlane.cli worker", (11, 13, 14)), (8, "python other.py", (12,))):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "cmdline").write_text(command.replace(" ", "\0"))
        for inode in inodes:
            (tmp_path / str(pid) / "fd" / str(inode)).symlink_to(f"socket:[{inode}]")
    found = sorted(listeners.running(tmp_path), key=str)
    assert found == [Listener("worker", "0.0.0.0", 0x2121), Listener("worker", "192.0.2.7", 0x2121)]
    (gap,) = listeners.running(tmp_path / "none")
    assert isinstance(gap, Gap)


@pytest.mark.parametrize(
    ("mode", "owner", "folder", "expected"),
    [
        (0o600, 1000, 0o700, []),
        (0o400, 0, 0o755, []),
        (0o640, 1000, 0o700, ["file-accessible-to-others"]),
        (0o604, 1000, 0o700, ["file-accessible-to-others"]),
        (0o600, 1001, 0o700, ["file-owned-by-another-user"]),
        (0o600, 1000, 0o770, ["folder-writable-by-others"]),
        (0o600, 1000, stat.S_ISVTX | 0o777, []),
    ],
)
def test_files_of_secrets_are_for_their_owner_alone(mode, owner, folder, expected):
    state = files.FileState("keys file", "/etc/auditlane/keys.json", stat.S_IFREG | mode, owner, 1000, folder)
    assert codes(files.judge([state], user=1000, groups={100})) == expected


def test_a_file_for_a_group_of_the_process_is_accepted(monkeypatch, tmp_path):
    mounted = files.FileState("keys file", "/etc/auditlane/keys.json", stat.S_IFREG | 0o440, 0, 10_001, 0o755)
    assert codes(files.judge([mounted], user=1000, groups={10_001})) == []
    (tmp_path / "password").write_text("hunter2")
    monkeypatch.setenv("AUDITLANE_CLICKHOUSE_PASSWORD_FILE", str(tmp_path / "password"))
    assert ("file of AUDITLANE_CLICKHOUSE_PASSWORD_FILE", tmp_path / "password") in files.paths(load())


def test_the_modes_of_existing_files_are_gathered(tmp_path: Path):
    tmp_path.chmod(0o700)
    credentials = tmp_path / "data" / "credentials"
    credentials.mkdir(parents=True)
    for path in (tmp_path / "keys.json", credentials / "kafka.json"):
        path.write_text("{}")
        path.chmod(0o600)
    settings = load(keys_file=tmp_path / "keys.json", signing_keys_file=tmp_path / "none", data_dir=tmp_path / "data")
    found = {one.what: stat.S_IMODE(one.mode) for one in files.gather(settings)}
    assert {name: found.get(name) for name in ("keys file", "credentials file")} == {
        "keys file": 0o600,
        "credentials file": 0o600,
    }
    assert "data directory" in found
    assert "signing keys file" not in found


def client(client_id: str, days: int, *, role: str = "writer", **given) -> Client:
    created = NOW - timedelta(days=days)
    secret = Secret(hash=f"sha256:{'0' * 64}", created=created)
    return Client(client_id=client_id, roles=(role,), created=created, secrets=(secret,), **given)


def signing(days: int, secret: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG") -> SigningKeysContent:
    return SigningKeysContent(keys=(SigningKey(kid="k1", secret=secret, signs_from=NOW - timedelta(days=days)),))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (keys.KeyFacts(None, None, None), []),
        (keys.KeyFacts((client("a", 365),), signing(365), signing(365)), []),
        (keys.KeyFacts((client("a", 366),), None, None), ["client-key-old"]),
        (keys.KeyFacts((client("a", 366, revoked=NOW),), None, None), []),
        (keys.KeyFacts((client("a", 1, role="admin"),), None, None), ["operator-key-without-expiry"]),
        (keys.KeyFacts((client("a", 1, role="admin", expires=NOW + timedelta(1)),), None, None), []),
        (keys.KeyFacts(None, signing(366), signing(366)), ["signing-key-old", "provenance-key-old"]),
        (keys.KeyFacts(None, signing(1, "a" * 43), None), ["signing-secret-guessable"]),
    ],
)
def test_old_and_guessable_keys_are_found(facts, expected):
    assert codes(keys.judge(facts, now=NOW, settings=load())) == expected


def test_a_rotated_key_is_not_old():
    old = client("a", 900)
    fresh = old.secrets[0].model_copy(update={"created": NOW})
    rotated = old.model_copy(update={"secrets": (*old.secrets, fresh)})
    assert codes(keys.judge(keys.KeyFacts((rotated,), None, None), now=NOW, settings=load())) == []


def test_missing_and_invalid_files_of_keys_are_gaps(tmp_path):
    (tmp_path / "signing.json").write_text('{"keys": [{"kid": "a", "secret": "short"}]}')
    facts, gaps = keys.gather(load(signing_keys_file=tmp_path / "signing.json"))
    assert facts == keys.KeyFacts(None, None, None)
    assert [gap.reason.split()[0] for gap in gaps] == [
        "AUDITLANE_KEYS_FILE",
        str(tmp_path / "signing.json"),
        "Cannot",
    ]
    assert all(gap.needs for gap in gaps)


@pytest.mark.parametrize(
    ("free", "expected"),
    [(50 << 30, []), (9 << 30, ["disk-filling"]), (1 << 30, ["disk-full"]), ((1 << 30) - 1, ["disk-full"])],
)
def test_disks_with_little_space_are_found(free, expected):
    assert codes(disks.judge([disks.Disk("The disk", free, 100 << 30)])) == expected


def test_a_small_disk_is_judged_by_its_share():
    assert codes(disks.judge([disks.Disk("The disk", 900 << 20, 1 << 30)])) == []
