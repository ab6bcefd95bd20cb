"""Runs all checks, ordered so that a failure's cause comes before its consequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from auditlane.local import power, status
from auditlane.local.credentials import Role
from auditlane.local.doctor import access, clickhouse, host, kafka, registry
from auditlane.local.doctor.access import Component
from auditlane.local.doctor.finding import Finding, fail, guarded, ok, warn
from auditlane.local.layout import Layout
from auditlane.local.stack_variables import missing_accounts
from auditlane.observe.security import run as security
from auditlane.observe.security.findings import Report
from auditlane.query.export.service import storage_of
from auditlane.runtime.settings import PREFIX, Settings, variable

_FILES = ("keys_file", "signing_keys_file", "provenance_keys_file")
_FILES_OF = {Component.INIT: (), Component.WORKER: _FILES[2:], Component.SERVE: _FILES}  # the files that each needs
_CHECKS = {
    "kafka_bootstrap": ("kafka", kafka.check),
    "registry_url": ("registry", registry.check),
    "clickhouse_url": ("clickhouse", clickhouse.check),
}


def examine_component(settings: Settings, component: Component) -> Iterator[Finding]:
    """Yield findings about what a component needs to work with these settings: its secrets, its accounts, and the parts
    that it uses. Does not check other processes or this machine.
    """
    yield from access.secrets(settings, component)
    yield from host.credentials(settings, _FILES_OF[component])
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("kafka", lambda: kafka.check(settings, component, lag=False)),
        ("registry", lambda: registry.check(settings)),
        ("clickhouse", lambda: clickhouse.check(settings, component)),
    )
    if component is Component.SERVE and settings.export_url:
        checks = (*checks, ("exports", lambda: bucket(settings)))
    for part, check in checks:
        yield from guarded(part, check)


def bucket(settings: Settings) -> Iterator[Finding]:
    """Check that export jobs can use their bucket. Raises ConfigError or Unavailable."""
    storage_of(settings).prepare()
    yield ok("exports", f"{settings.export_url} can be used, and creates an object only once")


def examine_security(settings: Settings) -> Report:
    """Return the security check's report. Missing settings are taken from the stack running in the data directory, if
    any.
    """
    layout = Layout.of(settings.data_dir)
    if layout.owner() is not None:
        env = layout.read_state().get("env", {})
        settings = _completed(settings, env, [*_FILES, *_CHECKS, "serve_url"])
    return security.examine(settings, now=datetime.now(UTC), role=Role.INIT)


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield findings as checks end. Missing settings are taken from the stack in the data directory.

    Components of a stopped stack are not checked unless the settings name them.
    """
    layout = Layout.of(settings.data_dir)
    state, running = layout.read_state(), layout.owner() is not None
    if state:
        yield from guarded("host", lambda: _stack(settings, layout))
        if power.was_lost(state, power.boot_id()):
            yield warn(
                "host",
                "This machine went down while the stack was running; data that Kafka or ClickHouse had only in memory"
                " is lost.",
                f"Run auditlane verify, then store missing messages with auditlane replay {settings.topic}.",
            )
        settings = _completed(settings, state.get("env", {}), [*_FILES, *(_CHECKS if running else ())])
    yield from host.room(layout.root)
    yield from guarded("host", lambda: host.credentials(settings))
    for field, (part, check) in _CHECKS.items():
        if running or not state or getattr(settings, field):
            yield from guarded(part, lambda check=check: check(settings))  # type: ignore[misc]
    if running:
        for row in state["parts"]:
            if row["name"] in ("worker", "serve"):
                yield from host.service(row["name"], row["url"], settings)
        return
    if settings.kafka_bootstrap:
        yield from host.workers(settings)
    if settings.serve_url:
        yield from host.service("serve", settings.serve_url, settings)


def _completed(settings: Settings, env: Mapping[str, str], fields: list[str]) -> Settings:
    own = {_field(name): value for name, value in env.items()}
    missing = {name: own[name] for name in fields if name in own and not getattr(settings, name)}
    given = {variable(name): str(getattr(settings, name)) for name in settings.model_fields_set}
    named = {variable(name): value for name, value in missing.items()}
    account = {_field(name): value for name, value in missing_accounts({**given, **named}, env).items()}
    return Settings.model_validate({**settings.model_dump(), **missing, **account})


def _field(name: str) -> str:
    return name.removeprefix(PREFIX).lower()


def _stack(settings: Settings, layout: Layout) -> Iterator[Finding]:
    found = status.report(settings)
    if found["pid"] is None:
        yield fail("host", f"No stack is running in {layout.root}.", f"Run: auditlane up --data {layout.root}")
        return
    yield ok("host", f"the stack in {layout.root} is running (process {found['pid']})")
    # Whether a part responds is decided by its own check, which waits longer. Two checks could contradict each other.
    parts = [row for row in found["parts"] if row["state"] != status.UNREACHABLE]
    for row in [*parts, *found["extras"]]:
        if row["state"] not in ("ready", "external", "done"):
            log = f"Check its log: {row['log']}" if row["log"] else ""
            yield fail(row["name"], f"{row['name']} is {row['state']} (starts: {row['starts']}).", log)
