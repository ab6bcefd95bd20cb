"""A stack's services, each with a URL, dependencies, a command line and a readiness probe."""

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
from auditlane.local.credentials import Credentials, Role, account_variables
from auditlane.local.health import KafkaProbe, http_is_ready
from auditlane.local.kafka import Broker
from auditlane.local.layout import Layout
from auditlane.local.stack_variables import REPLACEABLE, with_accounts
from auditlane.runtime import secret_files
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.process_plan import ServiceSpec
from auditlane.runtime.settings import PREFIX, Settings, variable

NAMES = ("kafka", "registry", "clickhouse", "worker", "serve")
_MODULES = {"registry": "auditlane.local.registry", "clickhouse": "auditlane.local.engine"}
_STORES = ("kafka", "registry", "clickhouse")
_ROLES = {"init": Role.INIT, "worker": Role.WORKER, "serve": Role.QUERY, "demo": Role.QUERY}
PORTS = ("kafka", "kafka-controller", "registry", "clickhouse", "clickhouse-native", "worker", "serve")
# Not one of auditlane's settings: `env` prints it for other clients of the embedded ClickHouse.
NATIVE = variable("clickhouse_native")


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a stack.

    A service without a command is external and only probed. `status` shows the five `listed` services. `native` is a
    second protocol's address, host:port. `remarks` returns sentences about problems of a ready service, and is called
    after each start.
    """

    spec: ServiceSpec
    url: str
    is_ready: Callable[[], bool] | None = None
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
    """Choose a port for every listener. Raises PortInUse if a requested port is in use."""
    given = {
        "serve": settings.serve_port
        if serve_port is None and "serve_port" in settings.model_fields_set
        else serve_port,
        "worker": settings.worker_port if "worker_port" in settings.model_fields_set else 0,
    }
    preferred = {"serve": settings.serve_port} if serve_port != 0 else {}
    return ports.assign(PORTS, {name: port for name, port in given.items() if port}, preferred | dict(last))


def environment(settings: Settings, layout: Layout, port: Mapping[str, int]) -> dict[str, str]:
    """Return the variables that connect commands to this stack. Those of a replaced service come from the settings."""
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
        variable("links_dir"): str(settings.links_dir or layout.folder("links")),
        variable("serve_url"): settings.serve_url or serve,
    }


def readiness_checks(settings: Settings, urls: Mapping[str, str]) -> dict[str, Callable[[], bool]]:
    """Return the readiness probes of the five services by name. `urls` has the same keys."""
    pool = urllib3.PoolManager(num_pools=8)
    registry_ca, store_ca = settings.registry_ca, settings.clickhouse_ca
    registry = urllib3.PoolManager(ca_certs=str(registry_ca)) if registry_ca else pool
    store = urllib3.PoolManager(ca_certs=str(store_ca)) if store_ca else pool
    return {
        "kafka": KafkaProbe({"bootstrap.servers": urls["kafka"], **settings.kafka_extra}).is_ready,
        "registry": lambda: http_is_ready(urls["registry"] + "/subjects", registry, _registry_headers(settings)),
        "clickhouse": lambda: http_is_ready(urls["clickhouse"] + "/ping", store),
        "worker": lambda: http_is_ready(urls["worker"] + "/health/ready", pool),
        "serve": lambda: http_is_ready(urls["serve"] + "/health/ready", pool),
    }


def build(
    settings: Settings,
    layout: Layout,
    port: Mapping[str, int],
    broker: Callable[[], Broker],
    *,
    demo: bool,
    credentials: Credentials | None = None,
) -> list[Service]:
    """Return a stack's services in display order. `broker` creates Kafka, unless it is external.

    A service receives only its role's credentials. Without credentials, the embedded services need no password.
    """
    variables = environment(settings, layout, port)
    # The registry and ClickHouse read no settings, so they do not receive the shell's.
    without_settings = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    urls = {name: variables[variable(field)] for name, field in REPLACEABLE.items()}
    urls |= {name: f"http://{ports.HOST}:{port[name]}" for name in ("worker", "serve")}
    checks = readiness_checks(with_accounts(settings, account_variables(settings, credentials)), urls)

    def env(name: str) -> dict[str, str]:
        own = {**variables, **account_variables(settings, credentials, _ROLES[name])}
        return secret_files.without_conflicts(os.environ, own)

    def make(name: str) -> Service:
        if getattr(settings, REPLACEABLE.get(name, ""), ""):
            return Service(ServiceSpec(name, start_timeout_s=30, max_failures=1), urls[name], checks[name])
        if name == "kafka":
            return _kafka(broker(), checks[name], layout)
        if name in REPLACEABLE:
            command = _python(_MODULES[name], "--data", layout.folder(name), "--host", ports.HOST, "--port", port[name])
            if credentials:
                command += ["--users", str(credentials.file(name))]
            spec, logs = ServiceSpec(name, tier=1), [layout.log(name)]
            if name != "clickhouse":
                return Service(spec, urls[name], checks[name], command, env=without_settings, logs=logs)
            command += ["--native-port", str(port["clickhouse-native"]), "--database", settings.clickhouse_database]
            remarks = partial(detached_part_warnings, variables | account_variables(settings, credentials), settings)
            native = variables[NATIVE]
            return Service(
                spec, urls[name], checks[name], command, env=without_settings, logs=logs, native=native, remarks=remarks
            )
        own = {variable(f"{name}_host"): ports.HOST, variable(f"{name}_port"): str(port[name])}
        spec = ServiceSpec(name, depends_on=(*_STORES, "init"), tier=2, stop_timeout_s=settings.shutdown_timeout_s + 5)
        command = _python("auditlane.cli", name)
        return Service(spec, urls[name], checks[name], command, env={**env(name), **own}, logs=[layout.log(name)])

    init = ServiceSpec("init", depends_on=_STORES, tier=2, one_shot=True, stop_timeout_s=5)
    log = layout.log("init")
    return [
        *(make(name) for name in NAMES),
        Service(init, "", None, _python("auditlane.cli", "init"), env=env("init"), logs=[log], listed=False),
        *([_demo(env("demo"), layout)] if demo else []),
    ]


def detached_part_warnings(variables: Mapping[str, str], settings: Settings) -> list[str]:
    """Return a sentence for each table whose broken parts ClickHouse detached when it started."""
    # Imported here, since `status` does not need a ClickHouse client.
    from auditlane.local.doctor.clickhouse import detached
    from auditlane.store.client import connect

    fields = ("clickhouse_url", "clickhouse_user", "clickhouse_password")
    given = {field: variables[variable(field)] for field in fields if variable(field) in variables}
    try:
        client = connect(Settings.model_validate({**settings.model_dump(), **given}))
        try:
            return [f"{finding.message} {finding.fix}" for finding in detached(client)]
        finally:
            client.close()
    except AuditlaneError as error:
        return [f"Detached parts of ClickHouse could not be listed: {error}"]


def _python(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


def _kafka(broker: Broker, is_ready: Callable[[], bool], layout: Layout) -> Service:
    return Service(
        ServiceSpec("kafka", stop_timeout_s=30),
        broker.bootstrap,
        is_ready,
        broker.command(),
        cwd=broker.folder,
        env=broker.environment(),
        prepare=broker.prepare,
        logs=[broker.log, layout.log("kafka")],
    )


def _demo(env: Mapping[str, str], layout: Layout) -> Service:
    """Return the demo, which prints `{"ready": true}` once its history is stored, and then emits live events."""
    log = layout.log("demo")
    spec = ServiceSpec("demo", depends_on=("worker", "serve"), tier=3, start_timeout_s=600, stop_timeout_s=10)
    command = _python("auditlane.local.demo")
    return Service(spec, "", lambda: log_says_ready(log), command, env=env, logs=[log], listed=False)


def log_says_ready(log: Path) -> bool:
    """Return whether the log contains a JSON line with `"ready": true`."""
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
