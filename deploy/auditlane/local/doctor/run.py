"""All the checks, in the order in which a problem in one explains the next."""

from __future__ import annotations

from collections.abc import Iterator

from auditlane.local import status
from auditlane.local.doctor import clickhouse, host, kafka, registry
from auditlane.local.doctor.finding import Finding, fail, guarded, ok
from auditlane.local.layout import Layout
from auditlane.runtime.settings import PREFIX, Settings

_POINTING = ("kafka_bootstrap", "registry_url", "clickhouse_url", "keys_file", "signing_keys_file", "serve_url")


def examine(settings: Settings) -> Iterator[Finding]:
    """Findings, as they are made. What the settings leave open is taken from the stack in the data directory."""
    layout = Layout.of(settings.data_dir)
    state = layout.read_state()
    if state:
        yield from guarded("host", lambda: _stack(settings, layout))
        own = {name.removeprefix(PREFIX).lower(): value for name, value in state.get("env", {}).items()}
        missing = {name: own[name] for name in _POINTING if name in own and not getattr(settings, name)}
        settings = Settings.model_validate({**settings.model_dump(), **missing})
    yield from host.room(layout.root)
    yield from guarded("host", lambda: host.credentials(settings))
    yield from guarded("kafka", lambda: kafka.check(settings))
    yield from guarded("registry", lambda: registry.check(settings))
    yield from guarded("clickhouse", lambda: clickhouse.check(settings))
    worker = next((row["url"] for row in state.get("parts", []) if row["name"] == "worker"), "")
    if worker:
        yield from host.service("worker", worker)
    if settings.serve_url:
        yield from host.service("serve", settings.serve_url)


def _stack(settings: Settings, layout: Layout) -> Iterator[Finding]:
    found = status.report(settings)
    if found["pid"] is None:
        yield fail("host", f"No stack runs in {layout.root}.", f"Start it: auditlane up --data {layout.root}")
        return
    yield ok("host", f"the stack in {layout.root} runs (process {found['pid']})")
    for row in [*found["parts"], *found["extras"]]:
        if row["state"] not in ("ready", "external", "done"):
            log = f"Look at {row['log']}" if row["log"] else ""
            yield fail(row["name"], f"{row['name']} is {row['state']}, started {row['starts']} times.", log)
