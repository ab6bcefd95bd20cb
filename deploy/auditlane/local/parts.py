"""The parts of a stack: for each a URL, what it needs, how it is run, how to tell that it answers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import urllib3

from auditlane.access.provenance_keys import path_of
from auditlane.local import ports
from auditlane.local.adoption import entering
from auditlane.local.credentials import Credentials, Role, accounts
from auditlane.local.doctor.clickhouse import detached
from auditlane.local.health import KafkaProbe, http_answers
from auditlane.local.kafka import Broker
from auditlane.local.layout import Layout
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.process_plan import Spec
from auditlane.runtime.settings import PREFIX, Settings, variable
from auditlane.store.client import connect

NAMES = ("kafka", "registry", "clickhouse", "worker", "serve")
REPLACEABLE = {"kafka": "kafka_bootstrap", "registry": "registry_url", "clickhouse": "clickhouse_url"}
_MODULES = {"registry": "auditlane.local.registry", "clickhouse": "auditlane.local.engine"}
_STORES = ("kafka", "registry", "clickhouse")
_ROLES = {"init": Role.INIT, "worker": Role.WORKER, "serve": Role.QUERY, "demo": Role.QUERY}
PORTS = ("kafka", "kafka-controller", "registry", "clickhouse", "clickhouse-native", "worker", "serve")
# Not one of auditlane's own settings: what `env` prints for other clients of the embedded ClickHouse.
NATIVE = variable("clickhouse_native")


@dataclass(frozen=True, slots=True)
class Part:
    """One part. No command: it is external, only asked whether it answers. `listed`: one of the five of `status`.

    `native` is the address, host:port, of a second protocol of its own. `remarks` are sentences about what is wrong
    although it answers; asked at each of its starts.
    """

    spec: Spec
    url: str
    answers: Callable[[], bool] | None = None
    command: Sequence[str] = ()
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] | None = None
    logs: Sequence[Path] = ()
    listed: bool = True
    native: str = ""
    remarks: Callable[[], list[str]] | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def external(self) -> bool:
        return not self.command


def choose_ports(settings: Settings, serve_port: int | None, last: Mapping[str, int]) -> dict[str, int]:
    """A port for everything that listens. Raises PortInUse for one that was asked for and is taken."""
    given = {
        "serve": settings.serve_port
        if serve_port is None and "serve_port" in settings.model_fields_set
        else serve_port,
        "worker": settings.worker_port if "worker_port" in settings.model_fields_set else 0,
    }
    wished = {"serve": settings.serve_port} if serve_port != 0 else {}
    return ports.assign(PORTS, {name: port for name, port in given.items() if port}, wished | dict(last))


def environment(settings: Settings, layout: Layout, port: Mapping[str, int]) -> dict[str, str]:
    """The variables that point any command at this stack: a replaced part's are the settings' own."""
    serve = f"http://{ports.HOST}:{port['serve']}"
    native = {} if settings.clickhouse_url else {NATIVE: f"{ports.HOST}:{port['clickhouse-native']}"}
    return native | {
        variable("data_dir"): str(layout.root),
        variable("kafka_bootstrap"): settings.kafka_bootstrap or f"{ports.HOST}:{port['kafka']}",
        variable("registry_url"): settings.registry_url or f"http://{ports.HOST}:{port['registry']}",
        variable("clickhouse_url"): settings.clickhouse_url or f"http://{ports.HOST}:{port['clickhouse']}",
        variable("keys_file"): str(settings.keys_file or layout.keys),
        variable("signing_keys_file"): str(settings.signing_keys_file or layout.signing_keys),
        variable("provenance_keys_file"): str(path_of(settings) or layout.provenance_keys),
        variable("serve_url"): settings.serve_url or serve,
    }


def checks(settings: Settings, urls: Mapping[str, str]) -> dict[str, Callable[[], bool]]:
    """How to ask each of the five parts whether it answers; `urls` by its name."""
    pool = urllib3.PoolManager(num_pools=8)
    registry_ca, store_ca = settings.registry_ca, settings.clickhouse_ca
    registry = urllib3.PoolManager(ca_certs=str(registry_ca)) if registry_ca else pool
    store = urllib3.PoolManager(ca_certs=str(store_ca)) if store_ca else pool
    return {
        "kafka": KafkaProbe({"bootstrap.servers": urls["kafka"], **settings.kafka_extra}).answers,
        "registry": lambda: http_answers(urls["registry"] + "/subjects", registry, _registry_headers(settings)),
        "clickhouse": lambda: http_answers(urls["clickhouse"] + "/ping", store),
        "worker": lambda: http_answers(urls["worker"] + "/health/ready", pool),
        "serve": lambda: http_answers(urls["serve"] + "/health/ready", pool),
    }


def build(
    settings: Settings,
    layout: Layout,
    port: Mapping[str, int],
    broker: Callable[[], Broker],
    *,
    demo: bool,
    credentials: Credentials | None = None,
) -> list[Part]:
    """Every part of a stack, in the order in which they are shown. `broker` makes Kafka, unless it is external.

    A part is given what its role needs of the credentials; without them the embedded parts ask for no password.
    """
    variables = environment(settings, layout, port)
    # The registry and ClickHouse read no settings: what a shell has for commands is not theirs to know.
    bare = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    urls = {name: variables[variable(field)] for name, field in REPLACEABLE.items()}
    urls |= {name: f"http://{ports.HOST}:{port[name]}" for name in ("worker", "serve")}
    ask = checks(entering(settings, accounts(settings, credentials)), urls)

    def env(name: str) -> dict[str, str]:
        return {**os.environ, **variables, **accounts(settings, credentials, _ROLES[name])}

    def make(name: str) -> Part:
        if getattr(settings, REPLACEABLE.get(name, ""), ""):
            return Part(Spec(name, start_within=30, give_up=1), urls[name], ask[name])
        if name == "kafka":
            return _kafka(broker(), ask[name], layout)
        if name in REPLACEABLE:
            command = _python(_MODULES[name], "--data", layout.part(name), "--host", ports.HOST, "--port", port[name])
            if credentials:
                command += ["--users", str(credentials.file(name))]
            spec, logs = Spec(name, tier=1), [layout.log(name)]
            if name != "clickhouse":
                return Part(spec, urls[name], ask[name], command, env=bare, logs=logs)
            command += ["--native-port", str(port["clickhouse-native"]), "--database", settings.clickhouse_database]
            remarks = partial(set_aside, variables | accounts(settings, credentials), settings)
            native = variables[NATIVE]
            return Part(spec, urls[name], ask[name], command, env=bare, logs=logs, native=native, remarks=remarks)
        own = {variable(f"{name}_host"): ports.HOST, variable(f"{name}_port"): str(port[name])}
        spec = Spec(name, needs=(*_STORES, "init"), tier=2, stop_within=settings.shutdown_timeout_s + 5)
        command = _python("auditlane.cli", name)
        return Part(spec, urls[name], ask[name], command, env={**env(name), **own}, logs=[layout.log(name)])

    init = Spec("init", needs=_STORES, tier=2, once=True, stop_within=5)
    log = layout.log("init")
    return [
        *(make(name) for name in NAMES),
        Part(init, "", None, _python("auditlane.cli", "init"), env=env("init"), logs=[log], listed=False),
        *([_demo(env("demo"), layout)] if demo else []),
    ]


def set_aside(variables: Mapping[str, str], settings: Settings) -> list[str]:
    """A sentence for each table of which ClickHouse set parts aside as it started."""
    fields = ("clickhouse_url", "clickhouse_user", "clickhouse_password")
    given = {field: variables[variable(field)] for field in fields if variable(field) in variables}
    try:
        client = connect(Settings.model_validate({**settings.model_dump(), **given}))
        try:
            return [f"{one.message} {one.fix}" for one in detached(client)]
        finally:
            client.close()
    except AuditlaneError as error:
        return [f"Whether ClickHouse set parts aside could not be asked: {error}"]


def _python(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


def _kafka(broker: Broker, answers: Callable[[], bool], layout: Layout) -> Part:
    return Part(
        Spec("kafka", stop_within=30),
        broker.bootstrap,
        answers,
        broker.command(),
        cwd=broker.folder,
        env=broker.environment(),
        prepare=broker.prepare,
        logs=[broker.log, layout.log("kafka")],
    )


def _demo(env: Mapping[str, str], layout: Layout) -> Part:
    """Imports the sample, says `{"ready": true}` on its output when it is stored, then goes on emitting."""
    log = layout.log("demo")
    spec = Spec("demo", needs=("worker", "serve"), tier=3, start_within=600, stop_within=10)
    command = _python("auditlane.local.demo")
    return Part(spec, "", lambda: says_ready(log), command, env=env, logs=[log], listed=False)


def says_ready(log: Path) -> bool:
    """Whether a JSON line with `"ready": true` is in the log."""
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    for line in lines:
        if '"ready"' in line:
            try:
                if json.loads(line).get("ready") is True:
                    return True
            except (ValueError, AttributeError):
                continue
    return False


def _registry_headers(settings: Settings) -> dict[str, str]:
    if token := settings.registry_token.get_secret_value():
        return {"Authorization": f"Bearer {token}"}
    if settings.registry_user:
        password = settings.registry_password.get_secret_value()
        return dict(urllib3.make_headers(basic_auth=f"{settings.registry_user}:{password}"))
    return {}
