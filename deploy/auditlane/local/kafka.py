"""An Apache Kafka node on this machine: its settings, storage and command line."""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from auditlane.local.credentials import USER
from auditlane.local.java import Java
from auditlane.local.ports import HOST
from auditlane.runtime import process
from auditlane.runtime.errors import ConfigError, PartFailed
from auditlane.runtime.files import write_text

_FORMATTED = "formatted"
_FORMAT_TIMEOUT_S = 120

# A killed consumer keeps its partitions until its session times out. The timeout is short here, and tests may set it
# even lower.
_SETTINGS: dict[str, object] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "log.dirs": "log",
    "auto.create.topics.enable": "false",
    "delete.topic.enable": "true",
    "num.partitions": 1,
    "message.max.bytes": 4 << 20,
    "replica.fetch.max.bytes": 4 << 20,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    "group.consumer.session.timeout.ms": 6_000,
    "group.consumer.min.session.timeout.ms": 1_000,
    "group.consumer.heartbeat.interval.ms": 1_000,
    "group.consumer.min.heartbeat.interval.ms": 200,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 16 << 20,
    "controlled.shutdown.enable": "true",
}

# Only warnings, to rolling files: at most 3 of 5 MB.
_LOG4J = """\
status = error
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${sys:auditlane.log}
appender.file.filePattern = ${sys:auditlane.log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 5MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
"""


@dataclass(frozen=True, slots=True)
class Node:
    """One member of a cluster on this machine. Both ports are on the loopback interface."""

    port: int
    controller_port: int
    id: int = 1


@dataclass(frozen=True, slots=True)
class Broker:
    """A Kafka broker. `folder` belongs to this node, `cluster` lists every node including this one, and `settings`
    override the defaults.

    `classes` is an archive created by `kafka_classes`. With a `password`, every connection to either port must
    authenticate as `USER` by SASL/PLAIN.
    """

    folder: Path
    node: Node
    java: Java
    class_path: Sequence[Path]
    log: Path
    cluster: Sequence[Node] = ()
    cluster_id: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    heap_mb: int = 512
    classes: Path | None = None
    jvm_flags: Sequence[str] = ()
    password: str = field(default="", repr=False)

    @property
    def bootstrap(self) -> str:
        """The address for clients, as host:port."""
        return f"{HOST}:{self.node.port}"

    def properties(self) -> dict[str, object]:
        """Return the content of `server.properties`. Paths are relative to the broker's working directory."""
        nodes = self.cluster or (self.node,)
        replicas = min(3, len(nodes))
        protocol = "SASL_PLAINTEXT" if self.password else "PLAINTEXT"  # also the name of the clients' listener
        return {
            **_SETTINGS,
            **self._listener_security(protocol),
            "node.id": self.node.id,
            "controller.quorum.voters": ",".join(f"{node.id}@{HOST}:{node.controller_port}" for node in nodes),
            "listeners": f"{protocol}://{self.bootstrap},CONTROLLER://{HOST}:{self.node.controller_port}",
            "advertised.listeners": f"{protocol}://{self.bootstrap}",
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": max(1, replicas - 1),
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": max(1, replicas - 1),
            "default.replication.factor": replicas,
            "min.insync.replicas": max(1, replicas - 1),
            **self.settings,
        }

    def _listener_security(self, protocol: str) -> dict[str, object]:
        """Return the security settings for both listeners. Brokers are clients of each other and of the controller."""
        settings: dict[str, object] = {
            "inter.broker.listener.name": protocol,
            "listener.security.protocol.map": f"{protocol}:{protocol},CONTROLLER:{protocol}",
        }
        if not self.password:
            return settings
        settings |= {"sasl.mechanism.inter.broker.protocol": "PLAIN", "sasl.mechanism.controller.protocol": "PLAIN"}
        module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        login = f'{module} username="{USER}" password="{self.password}" user_{USER}="{self.password}";'
        for listener in (protocol, "CONTROLLER"):
            prefix = f"listener.name.{listener.lower()}"
            settings |= {f"{prefix}.sasl.enabled.mechanisms": "PLAIN", f"{prefix}.plain.sasl.jaas.config": login}
        return settings

    def prepare(self) -> None:
        """Write the configuration, and format the storage the first time. Raises PartFailed if that fails.

        A marker file is written after formatting. Storage without it has never contained data, and is formatted again.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={value}" for name, value in sorted(self.properties().items())]
        write_text(self.folder / "server.properties", "\n".join(lines) + "\n")
        write_text(self.folder / "log4j2.properties", _LOG4J)
        marker = self.folder / _FORMATTED
        if marker.exists():
            return
        cluster_id = self.cluster_id or new_cluster_id()
        command = [*self._java(64), "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        done = subprocess.run(
            [*command, "--cluster-id", cluster_id, "--config", "server.properties"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_FORMAT_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise PartFailed(
                f"Kafka could not format its storage in {self.folder}:\n{done.stdout}{done.stderr}".rstrip(),
                fix=f"Delete {self.folder}, which holds no data yet, and start again.",
            )
        write_text(marker, cluster_id + "\n")

    def command(self) -> list[str]:
        """Return the command line, to be run in `folder`."""
        return [*self._java(self.heap_mb, *self.jvm_flags), "kafka.Kafka", "server.properties"]

    def environment(self) -> dict[str, str]:
        """Return only the variables that a JVM needs, since options for other Java programs must not affect this
        one.
        """
        keep = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
        return {name: os.environ[name] for name in keep if name in os.environ}

    def start(self, output: Path) -> subprocess.Popen[bytes]:
        """Prepare the node and start its process, which is ready some seconds later."""
        self.prepare()
        return process.start(self.command(), cwd=self.folder, env=self.environment(), output=output)

    def _java(self, heap_mb: int, *flags: str) -> list[str]:
        if any(":" in str(path) for path in self.class_path):
            raise ConfigError(
                f"Java cannot load from a path with a colon: {self.class_path[0].parent}.",
                fix="Set AUDITLANE_CACHE_DIR (or AUDITLANE_KAFKA_HOME) to a path without one.",
            )
        return [
            str(self.java.path),
            f"-Xmx{heap_mb}m",
            "-XX:+UseSerialGC",
            # Without the optimizing compiler, a start takes a third less CPU; only batches of one message cost more.
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            "-Dlog4j2.configurationFile=log4j2.properties",
            f"-Dauditlane.log={self.log.absolute()}",
            *self.java.flags,
            *([f"-XX:SharedArchiveFile={self.classes}"] if self.classes else []),
            *flags,
            "-cp",
            ":".join(map(str, self.class_path)),
        ]


def class_path_of(home: Path) -> list[Path]:
    """Return an unpacked Kafka's class path. Raises ConfigError if `home` does not contain Kafka."""
    jars = sorted((home / "libs").glob("*.jar"))
    if not any(jar.name.startswith("kafka_2.13-") for jar in jars):
        raise ConfigError(
            f"AUDITLANE_KAFKA_HOME is {home}, which contains no libs/kafka_2.13-….jar.",
            field="kafka_home",
            fix="Set it to the folder of an unpacked Apache Kafka archive.",
        )
    return [jar.absolute() for jar in jars]


def new_cluster_id() -> str:
    """Return a random id in Kafka's format: 22 characters of URL-safe base64, not starting with a dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text
