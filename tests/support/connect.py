"""Kafka Connect in standalone mode with Debezium's connector for PostgreSQL, from pinned jars."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from auditlane.local import cache, java, kafka_jars, ports
from auditlane.runtime import process
from auditlane.runtime.errors import PartFailed

# Written by `python -m auditlane.local.kafka_jars`, for debezium-connector-postgres, connect-runtime, log4j-core and
# log4j-slf4j-impl.
JARS: Final = kafka_jars.parse_list(Path(__file__).with_name("debezium.jars").read_text())
_CLASS: Final = "org.apache.kafka.connect.cli.ConnectStandalone"
_STOP_S: Final = 60
_LOG4J: Final = """\
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
"""


class Connect:
    """One worker with one connector. Its offsets are kept in a file, so it can be killed and started again."""

    def __init__(self, folder: Path, kafka: Mapping[str, Any], connector: Mapping[str, str]) -> None:
        """Write the configuration. `kafka` has librdkafka's names. Skips the test if the jars cannot be downloaded."""
        chosen = os.environ.get("AUDITLANE_CACHE_DIR", "")
        try:
            self._class_path = kafka_jars.fetch(cache.folder(Path(chosen) if chosen else None), jars=JARS)
        except PartFailed as error:
            pytest.skip(f"Debezium is missing: {error}")
        self.folder = folder
        folder.mkdir()
        self.log = folder / "log"
        clients = client_properties(kafka)
        worker = {
            **clients,
            **{f"producer.{name}": value for name, value in clients.items()},
            "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
            "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
            "listeners": f"http://127.0.0.1:{ports.free(1)[0]}",
            "offset.storage.file.filename": str(folder / "offsets"),
            "offset.flush.interval.ms": 3_600_000,  # only on a clean stop, so a killed worker repeats everything
            "plugin.discovery": "service_load",
        }
        (folder / "worker.properties").write_text(properties(worker))
        (folder / "connector.properties").write_text(properties(connector))
        (folder / "log4j2.properties").write_text(_LOG4J)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the worker. It is ready some seconds later."""
        runtime = java.find()
        command = [runtime.path, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *runtime.flags]
        command += ["-Dlog4j2.configurationFile=log4j2.properties", "-cp", ":".join(map(str, self._class_path))]
        command += [_CLASS, "worker.properties", "connector.properties"]
        self._process = process.start(
            [*map(str, command)], cwd=self.folder, env={"PATH": os.environ["PATH"]}, output=self.log
        )

    def kill(self) -> None:
        """Kill the worker with SIGKILL, before it has stored an offset."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Stop the worker with SIGTERM, if it is running. It stores its offsets first."""
        if self._process is not None:
            process.stop(self._process, _STOP_S)


def client_properties(kafka: Mapping[str, Any]) -> dict[str, str]:
    """Convert librdkafka's settings for SASL/PLAIN to those of the Java clients."""
    known = {name: str(kafka[name]) for name in ("bootstrap.servers", "security.protocol") if name in kafka}
    if "sasl.password" not in kafka:
        return known
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    login = f'username="{kafka["sasl.username"]}" password="{kafka["sasl.password"]}"'
    return known | {"sasl.mechanism": "PLAIN", "sasl.jaas.config": f"{module} required {login};"}


def properties(values: Mapping[str, Any]) -> str:
    """Return the text of a properties file. Values contain no backslashes."""
    return "".join(f"{name}={value}\n" for name, value in values.items())
