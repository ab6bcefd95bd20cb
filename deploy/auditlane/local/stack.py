"""Assembles a stack: turns settings and a data directory into a supervisor."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from auditlane.access.keys import KeysFile
from auditlane.access.provenance_keys import ProvenanceKeys, path_of
from auditlane.access.signing import SigningKeys
from auditlane.local import cache, java, kafka, kafka_classes, kafka_jars, power, services
from auditlane.local.credentials import Credentials, account_variables
from auditlane.local.kafka import Broker, Node
from auditlane.local.layout import Layout
from auditlane.local.stack_variables import without_own_urls
from auditlane.local.supervisor import Observer, Supervisor
from auditlane.runtime.ids import uuid7
from auditlane.runtime.log import auditlane_version
from auditlane.runtime.process import ProcessExit
from auditlane.runtime.settings import Settings

_OWN: Final = frozenset({"worker", "serve"})  # services whose restarts are recorded in the audit log


@contextmanager
def stack(
    settings: Settings,
    observer: Observer,
    *,
    serve_port: int | None = None,
    demo: bool = False,
    auth: bool = True,
    download: kafka_jars.Progress = lambda done, total: None,
    note: Callable[[str], None] = lambda sentence: None,
) -> Iterator[Supervisor]:
    """Yield a stack's supervisor, whose `run` the caller must call. The context holds the data directory's lock.

    Without `auth`, the stack's services do not require passwords.

    Raises AlreadyRunning, PortInUse, ConfigError, and PartFailed if Kafka is neither installed nor downloadable.
    """
    layout = Layout.of(settings.data_dir)
    layout.prepare()
    with layout.claim(os.getpid()):
        before = layout.read_state()
        settings = without_own_urls(settings, before)
        port = services.choose_ports(settings, serve_port, before.get("ports", {}))
        credentials = Credentials.load_or_create(layout.credentials) if auth else None
        env = {**services.environment(settings, layout, port), **account_variables(settings, credentials)}
        KeysFile.load_or_create(settings.keys_file or layout.keys)
        SigningKeys.load_or_create(settings.signing_keys_file or layout.signing_keys)
        ProvenanceKeys.load_or_create(path_of(settings) or layout.provenance_keys)

        def broker() -> Broker:
            password = credentials.of("kafka") if credentials else ""
            return _broker(settings, layout, port, password, download, note)

        made = services.build(settings, layout, port, broker, demo=demo, credentials=credentials)
        boot_id = power.boot_id()
        facts = {"auth": auth, "boot": boot_id, "power_lost": power.was_lost(before, boot_id)}
        signing_keys_file = settings.signing_keys_file or layout.signing_keys
        on_restart = restart_recorder(settings.model_copy(update={"signing_keys_file": signing_keys_file}), note)
        yield Supervisor(made, layout, env, port, observer, facts=facts, on_restart=on_restart)


def restart_recorder(settings: Settings, note: Callable[[str], None]) -> Callable[[str, ProcessExit], None]:
    """Return a function that spools a restart's audit event for `serve`. It passes problems to `note`."""

    def record(service: str, ended: ProcessExit) -> None:
        if service not in _OWN or not settings.trail_lifecycle:
            return
        # Imported when needed, since this loads the ClickHouse and Kafka clients.
        from auditlane.trail.events import bounded, events_of
        from auditlane.trail.lifecycle import worker_restarted
        from auditlane.trail.spooling import spool_events, spool_folder

        record = worker_restarted(service, ended, running=auditlane_version(), host=socket.gethostname())
        events = events_of(bounded(record, settings.max_event_bytes), at=ended.at, event_id=uuid7())
        try:
            fits = spool_events(settings, events) == len(events)
        except OSError as error:
            note(f"the restart of {service} is not in the audit log: {error}")
        else:
            if not fits:
                note(f"the restart of {service} is not in the audit log: {spool_folder(settings)} is full")

    return record


def _broker(
    settings: Settings,
    layout: Layout,
    port: Mapping[str, int],
    password: str,
    download: kafka_jars.Progress,
    note: Callable[[str], None],
) -> Broker:
    home = settings.kafka_home
    filled = (path for path in cache.candidates(settings.cache_dir) if kafka_jars.is_complete(path))
    folder = next(filled, None) or cache.folder(settings.cache_dir)
    class_path = kafka.class_path_of(home) if home else kafka_jars.fetch(folder, download)
    runtime = java.find()
    classes = kafka_classes.archive(
        folder, runtime, class_path, lambda: note("preparing Kafka (once, about ten seconds)")
    )
    node = Node(port["kafka"], port["kafka-controller"])
    log = layout.root / "logs" / "kafka-server.log"
    return Broker(layout.folder("kafka"), node, runtime, class_path, log, classes=classes, password=password)
