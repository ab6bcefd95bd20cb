"""Tests the components around the supervisor: ports, the data directory, Java, printed variables, and the broker's
configuration.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditlane.cli.env import Format, render
from auditlane.local import cache, java, kafka, kafka_jars, layout, ports, services, stack_environment, status
from auditlane.local.kafka import Broker, Node
from auditlane.local.layout import Layout
from auditlane.local.stack import restart_recorder
from auditlane.local.stack_variables import without_own_urls
from auditlane.runtime.errors import AlreadyRunning, ConfigError, NotFound, PartFailed, PortInUse
from auditlane.runtime.process import ProcessExit
from auditlane.runtime.settings import load
from auditlane.trail.spooling import FileSpool


@pytest.fixture
def taken():
    with socket.socket() as server:
        server.bind((ports.HOST, 0))
        server.listen()
        yield server.getsockname()[1]


def test_free_ports_are_different_and_free():
    found = ports.free(20)
    assert len(set(found)) == 20
    assert all(ports.is_free(port) for port in found)


def test_a_configured_port_in_use_is_named_with_a_fix(taken):
    with pytest.raises(PortInUse, match=f"Port {taken} is in use") as caught:
        ports.assign(["serve"], {"serve": taken}, {})
    assert "another port" in caught.value.fix


def test_the_last_ports_are_reused_if_they_are_free(taken):
    (free,) = ports.free(1)
    chosen = ports.assign(["kafka", "registry", "serve"], {}, {"kafka": free, "registry": taken})
    assert chosen["kafka"] == free
    assert chosen["registry"] != taken
    assert len(set(chosen.values())) == 3


def test_one_last_port_is_not_assigned_twice():
    (free,) = ports.free(1)
    chosen = ports.assign(["kafka", "serve"], {"serve": free}, {"kafka": free, "serve": free})
    assert chosen["serve"] == free
    assert chosen["kafka"] != free


def test_serve_keeps_the_configured_port_if_it_is_free(monkeypatch):
    wish, last = ports.free(2)
    monkeypatch.setattr(ports, "is_free", lambda port, host=ports.HOST: True)
    plain = load()
    assert services.choose_ports(plain, None, {})["serve"] == plain.serve_port
    assert services.choose_ports(plain, None, {"serve": last})["serve"] == last
    assert services.choose_ports(plain, wish, {"serve": last})["serve"] == wish
    assert services.choose_ports(load(serve_port=wish), None, {"serve": last})["serve"] == wish
    assert services.choose_ports(plain, 0, {})["serve"] != plain.serve_port


def test_environment_names_the_stack_and_what_replaces_its_parts(tmp_path):
    port = dict.fromkeys(services.PORTS, 4242)
    env = services.environment(load(registry_url="https://registry.example"), Layout(tmp_path), port)
    assert env["AUDITLANE_KAFKA_BOOTSTRAP"] == "127.0.0.1:4242"
    assert env["AUDITLANE_REGISTRY_URL"] == "https://registry.example"
    assert env["AUDITLANE_CLICKHOUSE_URL"] == env["AUDITLANE_SERVE_URL"] == "http://127.0.0.1:4242"
    assert env["AUDITLANE_KEYS_FILE"] == str(tmp_path / "keys.json")
    assert env["AUDITLANE_SIGNING_KEYS_FILE"] == str(tmp_path / "signing-keys.json")
    assert env.pop(services.NATIVE) == "127.0.0.1:4242"  # for third-party clients
    assert services.NATIVE not in services.environment(load(clickhouse_url="http://c:8123"), Layout(tmp_path), port)
    for name, value in env.items():  # each variable is a setting, so any command accepts it
        load(**{name.removeprefix("AUDITLANE_").lower(): value})


def test_a_shell_gets_exactly_the_values_that_were_printed():
    variables = {"AUDITLANE_DATA_DIR": "/a folder/it's $HOME", "AUDITLANE_SERVE_URL": "http://127.0.0.1:1"}
    script = f'eval {shlex.quote(render(variables, Format.SHELL))}\nprintf "%s" "$AUDITLANE_DATA_DIR"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == variables["AUDITLANE_DATA_DIR"]
    assert json.loads(render(variables, Format.JSON)) == variables
    assert render(variables, Format.PLAIN).splitlines()[0] == "AUDITLANE_DATA_DIR=/a folder/it's $HOME"


def test_no_variables_where_no_stack_ran(tmp_path):
    with pytest.raises(NotFound, match="No stack has been started"):
        stack_environment.environment(load(data_dir=tmp_path))


def test_status_where_no_stack_ran(tmp_path):
    found = status.report(load(data_dir=tmp_path / "none"))
    assert found["ready"] is False
    assert [row["name"] for row in found["parts"]] == ["kafka", "registry", "clickhouse", "worker", "serve"]
    assert not (tmp_path / "none").exists()


def test_up_does_not_mistake_its_own_last_urls_for_external_ones():
    own, other = "127.0.0.1:9", "http://127.0.0.1:8"
    before = {
        "env": {"AUDITLANE_KAFKA_BOOTSTRAP": own, "AUDITLANE_REGISTRY_URL": other, "AUDITLANE_SERVE_URL": other},
        "parts": [{"name": "kafka", "external": False}, {"name": "registry", "external": True}],
    }
    settings = load(kafka_bootstrap=own, registry_url=other, clickhouse_url=other, serve_url=other)
    kept = without_own_urls(settings, before)
    assert kept.kafka_bootstrap == ""  # ours
    assert kept.registry_url == other  # this was external before
    assert kept.clickhouse_url == other  # not the URL of the stack's own engine
    assert kept.serve_url == ""
    assert without_own_urls(settings, {}) == settings


def test_one_process_owns_a_directory(tmp_path):
    place = Layout(tmp_path)
    assert place.owner() is None
    with place.claim(os.getpid()):
        assert place.owner() == os.getpid()
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
            place.claim(1)
    assert place.owner() is None
    place.claim(os.getpid()).close()


def test_a_directory_that_cannot_be_created_is_reported_with_a_fix(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Cannot write to the data directory") as caught:
        Layout(tmp_path / "file" / "data").prepare()
    assert "--data" in caught.value.fix


def test_a_full_disk_is_reported_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(layout.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 5 << 20}))
    with pytest.raises(ConfigError, match="Only 5 MB are free"):
        Layout(tmp_path).prepare()


def test_a_growing_log_is_truncated_while_its_writer_has_it_open(tmp_path):
    log = tmp_path / "part.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 100)
        layout.bound(log, max_bytes=50)
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    assert (tmp_path / "part.log.1").stat().st_size == 100


def test_the_tail_of_a_missing_log_is_empty(tmp_path):
    log = tmp_path / "part.log"
    assert layout.tail(log) == ""
    log.write_text("\n".join(map(str, range(100_000))))
    assert layout.tail(log, 2) == "99998\n99999"


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25.0.2" 2026-01-20 LTS', 25),
        ('java version "1.8.0_412"', 8),
        ('openjdk version "21-ea"', 21),
        ("command not found", None),
    ],
)
def test_the_major_version_is_parsed_from_java_version(text, major):
    assert java.parse_major(text) == major


def test_without_java_on_the_path_the_wheels_is_used(tmp_path):
    found = java.find({"PATH": str(tmp_path), "JAVA_HOME": str(tmp_path)})
    assert found.major >= java.OLDEST
    assert found.flags == ["--enable-native-access=ALL-UNNAMED"]


def test_an_outdated_java_is_skipped(tmp_path):
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    assert java.find({"PATH": str(old.parent), "JAVA_HOME": str(tmp_path)}).path != old


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"XDG_CACHE_HOME": "{}/x"}, "linux", "x/auditlane"),
        ({"HOME": "{}/home"}, "linux", "home/.cache/auditlane"),
        ({"HOME": "{}/home"}, "darwin", "home/Library/Caches/auditlane"),
    ],
)
def test_where_downloads_are_kept(tmp_path, environ, platform, expected):
    environ = {name: value.format(tmp_path) for name, value in environ.items()}
    assert (
        cache.folder(None, environ, platform) == next(cache.candidates(None, environ, platform)) == tmp_path / expected
    )
    assert (tmp_path / expected).stat().st_mode & 0o077 == 0
    folder = tmp_path / "given"
    assert [cache.folder(folder, environ, platform)] == list(cache.candidates(folder, environ, platform)) == [folder]


@pytest.mark.parametrize("environ", [{"HOME": "/proc"}, {"HOME": "/dev/null"}, {"XDG_CACHE_HOME": "/proc/self"}, {}])
def test_an_unwritable_home_is_not_used(tmp_path, monkeypatch, environ):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(cache, "_home_of_user", lambda: "/proc/self")
    found = cache.folder(None, environ)
    assert found.parent == tmp_path
    assert found.stat().st_mode & 0o077 == 0
    assert cache.folder(None, environ) == found
    with pytest.raises(ConfigError, match="AUDITLANE_CACHE_DIR"):
        cache.folder(Path("/proc/cache"), environ)
    found.rmdir()
    found.symlink_to(tmp_path)  # a folder owned by another user
    with pytest.raises(ConfigError, match="another user"):
        cache.folder(None, environ)
    monkeypatch.setattr(cache, "_home_of_user", lambda: str(tmp_path))
    assert cache.folder(None, environ) == tmp_path / ".cache" / "auditlane"


def test_the_pinned_jars_belong_to_one_kafka_release():
    jars = kafka_jars.pinned()
    assert len({jar.path for jar in jars}) == len(jars)
    assert {jar.version for jar in jars if jar.group == "org.apache.kafka"} == {kafka_jars.VERSION}
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in jars)


def test_a_complete_cache_needs_no_network(tmp_path, monkeypatch):
    jar = kafka_jars.parse("g.h:a:1 3 " + "0" * 64)
    monkeypatch.setattr(kafka_jars, "pinned", lambda: [jar])
    monkeypatch.setattr(kafka_jars, "_context", lambda *_: pytest.fail("the network was used"))
    file = tmp_path / "maven" / "g" / "h" / "a" / "1" / "a-1.jar"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"abc")
    assert kafka_jars.fetch(tmp_path) == [file]


class Repository:
    """Stands in for jgo's context. It downloads the content in `arrives`."""

    def __init__(self, folder: Path, arrives: bytes | Exception) -> None:
        self._file, self._arrives = folder / "arrived.jar", arrives

    def project(self, *_):
        return self

    at_version = artifact = project

    def resolve(self):
        if isinstance(self._arrives, Exception):
            raise self._arrives
        self._file.write_bytes(self._arrives)
        return self._file


@pytest.mark.parametrize(
    ("arrives", "message", "fix"),
    [
        (b"abx", "was expected", "proxy or mirror"),
        (
            ConnectionError("no route"),
            "could not be downloaded. The download of a-1.jar failed: no route",
            "AUDITLANE_KAFKA_HOME",
        ),
        (OSError(28, "No space left on device", "/x/a-1.jar"), "No space left", "AUDITLANE_CACHE_DIR"),
    ],
)
def test_a_failed_download_leaves_no_file_and_has_a_fix(tmp_path, monkeypatch, arrives, message, fix):
    monkeypatch.setattr(kafka_jars, "pinned", lambda: [kafka_jars.parse("g:a:1 3 " + "0" * 64)])
    monkeypatch.setattr(kafka_jars, "_context", lambda folder, _: Repository(folder, arrives))
    with pytest.raises(PartFailed, match=message) as caught:
        kafka_jars.fetch(tmp_path)
    assert fix in caught.value.fix
    assert list(tmp_path.rglob("*.jar")) == []


def test_three_nodes_of_one_cluster(tmp_path):
    nodes = [Node(1001, 2001, 1), Node(1002, 2002, 2), Node(1003, 2003, 3)]
    found = Broker(tmp_path, nodes[1], java.Java(Path("java"), 25), [Path("/x.jar")], tmp_path / "log", nodes)
    properties = found.properties()
    assert properties["node.id"] == 2
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:2001,2@127.0.0.1:2002,3@127.0.0.1:2003"
    assert properties["offsets.topic.replication.factor"] == 3
    assert properties["min.insync.replicas"] == 2


def test_a_folder_without_kafka_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="AUDITLANE_KAFKA_HOME"):
        kafka.class_path_of(tmp_path)


def test_a_path_with_a_colon_is_refused_because_java_cannot_load_from_it(tmp_path):
    broker = Broker(tmp_path, Node(1, 2), java.Java(Path("java"), 17), [Path("/a:b/x.jar")], tmp_path / "log")
    with pytest.raises(ConfigError, match="colon"):
        broker.command()


def test_cluster_ids_have_kafkas_format():
    for _ in range(200):
        text = kafka.new_cluster_id()
        assert len(text) == 22
        assert not text.startswith("-")


@pytest.mark.parametrize(
    ("text", "ready"),
    [
        ("", False),
        ('starting\n{"ready": true}\n', True),
        ('{"ready": false}\n', False),
        ('{"ready": tr', False),
        ('"ready"\n', False),
    ],
)
def test_the_demo_reports_that_it_is_ready(tmp_path, text, ready):
    log = tmp_path / "demo.log"
    log.write_text(text)
    assert services.log_says_ready(log) is ready


def test_a_restart_is_spooled_for_serve_to_send(tmp_path):
    notes: list[str] = []
    settings = load(signing_keys_file=tmp_path / "signing-keys.json")
    record = restart_recorder(settings, notes.append)
    ended = ProcessExit(4_711, -9, datetime(2026, 1, 31, 12, tzinfo=UTC))
    record("kafka", ended)  # not an auditlane process
    record("worker", ended)
    record("serve", ended)
    sent: list[dict] = []
    FileSpool(tmp_path / "trail", most_bytes=1 << 20).drain(lambda lines: sent.extend(map(json.loads, lines)) or True)
    assert [(one["tenant_id"], one["action"], one["resource_id"]) for one in sent] == [
        ("_auditlane", "worker.restarted", "worker"),
        ("_auditlane", "worker.restarted", "serve"),
    ]
    assert {(one["occurred_at"], one["metadata"]["cause"]) for one in sent} == {("2026-01-31T12:00:00Z", "SIGKILL")}
    assert not notes


def test_a_restart_that_cannot_be_spooled_is_reported(tmp_path):
    notes: list[str] = []
    ended = ProcessExit(4_711, -9, datetime(2026, 1, 31, 12, tzinfo=UTC))
    restart_recorder(load(), notes.append)("worker", ended)  # no setting determines the folder
    (tmp_path / "file").touch()
    restart_recorder(load(trail_spool_dir=tmp_path / "file"), notes.append)("worker", ended)
    assert len(notes) == 2
    assert all(note.startswith("the restart of worker is not in the audit log") for note in notes)


def test_a_restart_is_not_recorded_if_the_setting_is_off(tmp_path):
    settings = load(trail_lifecycle=False, trail_spool_dir=tmp_path / "trail")
    restart_recorder(settings, print)("worker", ProcessExit(1, -9, datetime.now(UTC)))
    assert not (tmp_path / "trail").exists()
