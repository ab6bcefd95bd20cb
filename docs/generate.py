"""Writes the parts of the docs that come from the code: between `<!-- generated: NAME -->` and `<!-- end -->`.

python docs/generate.py          # rewrite them
python docs/generate.py --check  # exit 1 when one is out of date, as the tests do
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import typer.core
import typer.main
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from auditlane.access.permissions import Permission
from auditlane.cli import app as cli
from auditlane.cli.capacity import amount, large, size
from auditlane.cli.help_text import examples_of
from auditlane.cli.subcommands import SUBCOMMANDS
from auditlane.contract import acls, vocabulary
from auditlane.contract.reject_codes import RejectCode
from auditlane.observe.security.catalogue import CHECKS
from auditlane.operations import capacity
from auditlane.operations.capacity import REPLICAS, Demand, estimate
from auditlane.runtime import errors, log_events, metrics, settings
from auditlane.runtime.secret_files import SUFFIX
from auditlane.server.auth.route_permissions import RIGHTS, Cell, Whose
from auditlane.server.problems import HTTP_CODES
from auditlane.store import fold, migrate, roles

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


def settings_table() -> str:
    """Return the tables of all settings, one per group."""
    parts = []
    for group in settings.GROUPS:
        rows = []
        for name, field in group.model_fields.items():
            default = field.default
            if default is PydanticUndefined:
                default = field.default_factory() if field.default_factory else ""  # type: ignore[call-arg]
            shown = "" if isinstance(default, SecretStr) or default in ("", None, {}) else f"`{default}`"
            rows.append((f"`{settings.variable(name)}`", shown, field.description or ""))
            if settings.is_secret(field):
                file = f"`{settings.variable(name)}{SUFFIX}`"
                rows.append((file, "", f"File with the value of `{settings.variable(name)}`, instead of it."))
        title = group.__name__.removesuffix("Settings")
        parts.append(f"### {title}\n\n{table(('Variable', 'Default', 'Meaning'), rows)}")
    return "\n".join(parts)


def budgets_table() -> str:
    """Return a table of the settings that are a budget for one tenant or client."""
    rows = [
        (f"`{settings.variable(name)}`", f"`{field.default}`", field.description or "", consequence)
        for group in settings.GROUPS
        for name, field in group.model_fields.items()
        if (consequence := settings.budget_of(field))
    ]
    return table(("Variable", "Default", "What is bounded", "When it is reached"), rows)


def errors_table() -> str:
    """Return a table of errors, each with its code, HTTP status, exit code and meaning."""

    def walk(error: type[errors.AuditlaneError]) -> Iterator[type[errors.AuditlaneError]]:
        yield error
        for child in error.__subclasses__():
            yield from walk(child)

    meanings = dict(re.findall(r"^ +(?:│ +)*(?:[├└]── )?([A-Z]\w+) {2,}(\S.*)", errors.__doc__ or "", re.MULTILINE))
    rows = [
        (
            f"`{one.code}`",
            one.__name__,
            str(errors.http_status(one)),
            str(errors.exit_code(one)),
            meanings.get(one.__name__, ""),
        )
        for one in walk(errors.AuditlaneError)
        if one.__module__ == errors.__name__  # subclasses in other modules are not part of the tree
    ]
    return table(("Code", "Error", "HTTP", "Exit code", "When"), rows)


def codes_table() -> str:
    """Return a table of the reject codes for dead letters."""
    return table(("Code", "Meaning"), [(f"`{code}`", code.meaning) for code in RejectCode])


def metrics_table() -> str:
    """Return a table of every process's metrics."""
    rows = [
        (
            f"`{one.name}`",
            f"{one.kind} ({one.across})" if one.kind == "gauge" and "serve" in one.by else one.kind,
            ", ".join(one.labels),
            ", ".join(one.by),
            one.help,
        )
        for one in metrics.METRICS
    ]
    return table(("Metric", "Kind (over processes)", "Labels", "Exposed by", "Meaning"), rows)


def log_events_table() -> str:
    """Return a table of every process's log events."""
    rows = [(f"`{one.name}`", ", ".join(one.levels), one.meaning, one.action) for one in log_events.LOG_EVENTS]
    return table(("Event", "Level", "Meaning", "What to do"), rows)


def cli_help() -> str:
    """Return the help of every subcommand: its summary, examples, arguments and options."""
    parts = []
    for one in SUBCOMMANDS:
        parts.extend(_command(f"auditlane {one.name}", cli.load(one), one.help))
    return "\n".join(parts)


def _command(title: str, command: typer.core.TyperCommand, fallback: str) -> Iterator[str]:
    paragraphs = (command.help or fallback).split("\n\n")
    text = "\n\n".join(textwrap.fill(paragraph, 100, break_on_hyphens=False) for paragraph in paragraphs)
    yield f"### `{title}`\n\n{text}\n"
    if lines := examples_of(command.epilog):
        yield f"Example{'s' * (len(lines) > 1)}: {', '.join(f'`{line}`' for line in lines)}\n"
    if children := getattr(command, "commands", None):
        for name, child in children.items():
            yield from _command(f"{title} {name}", child, "")
        return
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or parameter.name in ("help", "install_completion", "show_completion"):
            continue
        is_argument = parameter.param_type_name == "argument"
        name = (
            (parameter.name or "").upper() if is_argument else ", ".join([*parameter.opts, *parameter.secondary_opts])
        )
        rows.append((f"`{name}`", _shown_default(parameter), " ".join((parameter.help or "").split())))
    if rows:
        yield table(("Option", "Default", "Meaning"), rows)


def _shown_default(parameter: typer.core.TyperArgument | typer.core.TyperOption) -> str:
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    default = parameter.default
    if default in (None, False, "", ()) or default == []:
        return "required" if parameter.required else ""
    return f"`{','.join(map(str, default)) if isinstance(default, list | tuple) else default}`"


def layers() -> str:
    """Return a drawing of the layers that import-linter checks, highest first."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    found = next(one for one in config["contracts"] if one["type"] == "layers")["layers"]
    rows = [layer.replace("auditlane.", "").replace(" | ", "   ") for layer in found]
    width = max(map(len, rows)) + 4
    box = "\n".join(f"│{row.center(width)}│" for row in rows)
    return f"```text\n┌{'─' * width}┐\n{box}\n└{'─' * width}┘\n```\n"


def packages() -> str:
    """Return every package with its docstring."""
    roots = ["schemas", "producers", "consumers", "deploy"]
    rows = []
    for path in sorted(one for root in roots for one in (ROOT / root / "auditlane").rglob("__init__.py")):
        doc = " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split())
        rows.append((f"`{path.parent.relative_to(ROOT)}`", doc))
    return table(("Package", "What it is for"), rows)


def roles_sql() -> str:
    """Return the SQL that grants each component of auditlane its privileges in ClickHouse."""
    return f"```sql\n{roles.script('audit')}```\n"


def acl_commands() -> str:
    """Return the shell script that gives each component of auditlane its rights in Kafka."""
    return (
        f"```sh\n{acls.script(topic='audit.events', dead_letters='audit.dead-letters', group='auditlane-worker')}```\n"
    )


def security_checks() -> str:
    """Return a section for each security check: what it examines, what it needs, and its findings."""
    parts = []
    for one in CHECKS:
        rows = [(f"`{rule.code}`", rule.severity.value, rule.why, rule.fix) for rule in one.rules]
        needs = f"\n\nNeeds: {one.needs.removesuffix('.')}." if one.needs else ""
        text = f"Looks at {one.looks_at}.{needs}"
        parts.append(f"### `{one.name}`\n\n{text}\n\n{table(('Finding', 'Severity', 'Why it matters', 'Fix'), rows)}")
    return "\n".join(parts)


def http_codes() -> str:
    """Return the codes of HTTP's own errors."""
    rows = [(f"`{code}`", str(status), meaning) for status, (code, meaning) in sorted(HTTP_CODES.items())]
    return table(("Code", "HTTP", "When"), rows)


def permissions_table() -> str:
    """Return a table of routes. It shows which credentials with a single permission may use each route."""
    foreign = {Whose.tenant: "403", Whose.client: "403", Whose.credential: "403", Whose.environment: "403"}
    rows = [
        (
            f"`{one.route}`" + (f": {one.what}" if one.what else ""),
            *(one.cell(permission).value for permission in Permission),
            ""
            if one.cell(Permission.read) is Cell.any
            else foreign.get(one.whose, "its own" if one.whose is Whose.page else "401"),
            one.whose.value if one.whose in (Whose.anybody, Whose.key, Whose.code) else "401",
        )
        for one in RIGHTS
    ]
    return table(("Request", *(one.name for one in Permission), "Another tenant's", "No credential"), rows)


GROUPS: dict[vocabulary.Group, str] = {
    "user_management": "User management",
    "performance": "Performance",
    "maintenance": "Maintenance",
    "auditlane": "auditlane's own trail",
}
VENDORS: dict[vocabulary.Vendor, str] = {
    "auth0": "Auth0",
    "clerk": "Clerk",
    "frontegg": "Frontegg",
    "github": "GitHub",
    "google_workspace": "Google Workspace",
    "keycloak": "Keycloak",
    "microsoft": "Microsoft",
    "okta": "Okta",
    "workos": "WorkOS",
}


def actions_tables() -> str:
    """Return tables of the known actions, one per group."""
    head = ("Action", "Meaning", "Outcome", "Severity", "Resource", "Metadata", "OCSF")
    parts = []
    for group, title in GROUPS.items():
        rows = [
            (
                f"`{one.name}`",
                f"{one.meaning} Left out by default." if one.log_access else one.meaning,
                one.outcome,
                one.severity,
                one.resource,
                "<br>".join(
                    [_metadata(name, key, "") for name, key in one.required.items()]
                    + [_metadata(name, key, " (optional)") for name, key in one.optional.items()]
                ),
                " → ".join(dict.fromkeys(f"{pair.class_uid}({pair.activity_id})" for pair in _ocsf(one))),
            )
            for one in vocabulary.ACTIONS.values()
            if one.group == group
        ]
        parts.append(f"### {title}\n\n{table(head, rows)}")
    return "\n".join(parts)


def _metadata(name: str, key: vocabulary.MetadataKey, note: str) -> str:
    values = f" One of {', '.join(f'`{value}`' for value in key.values)}." if key.values else ""
    return f"`{name}`{note}: {key.meaning}{values}{' Masked.' if key.masked else ''}"


def _ocsf(action: vocabulary.Action) -> Iterator[vocabulary.OcsfClass]:
    yield from (one for one in (action.ocsf_1_8, action.ocsf_1_9) if one)


def action_names() -> str:
    """Return a table that maps other products' action names to the known actions."""
    rows = [
        (
            f"`{one.name}`",
            "; ".join(
                f"{VENDORS[vendor]}: {', '.join(f'`{name}`' for name in names)}"
                for vendor, names in one.aliases.items()
            ),
        )
        for one in vocabulary.ACTIONS.values()
        if one.aliases
    ]
    return table(("Action", "In other products"), rows)


def log_columns() -> str:
    """Return a table of the columns in the view `log`."""
    statements = [one for migration in migrate.known() for one in migration.statements("audit")]
    [view] = [one for one in fold.fold(statements) if one.startswith("CREATE VIEW IF NOT EXISTS `audit`.log ")]
    rows = []
    for name, column in fold.columns(view).items():
        shown = re.sub(r"LowCardinality\(((?:\([^)]*\)|[^()])*)\)", r"\1", column.type)
        shown = re.sub(r"Enum8\((.*)\)", lambda match: "Enum: " + ", ".join(re.findall(r"'(\w+)'", match[1])), shown)
        rows.append((f"`{name}`", shown, column.comment.strip("'").replace("''", "'")))
    return table(("Column", "Type", "Meaning"), rows)


# Relations between rows, which ClickHouse does not declare: (table, Mermaid's sign, table, meaning).
RELATIONS = (
    ("log", "||--|{", "events", "the first of identical copies"),
    ("log", "||--||", "log_text", "the same event as text"),
    ("settings", "}o--o{", "log", "fields, labels and the switch of its tenant"),
)


def entities() -> str:
    """Return an entity-relationship diagram of all tables and views in Mermaid.

    Keys are marked. `events` and `log_text` show only their keys and the columns that differ from those of `log`.
    """
    statements = [one for migration in migrate.known() for one in migration.statements("audit")]
    folded = {create.split("`audit`.", 1)[1].split()[0]: create for create in fold.fold(statements)}
    columns = {name: fold.columns(create) for name, create in folded.items()}
    lines = [f'    {left} {sign} {right} : "{meaning}"' for left, sign, right, meaning in RELATIONS]
    for name, create in folded.items():
        key = re.search(r"\nORDER BY \(?([\w, ]+)", create)
        keys = set(key[1].split(", ")) if key else set()
        lines.append(f"    {name} {{")
        for column, definition in columns[name].items():
            own, in_log = (_plain_type(one.type) if one else "" for one in (definition, columns["log"].get(column)))
            if name not in ("events", "log_text") or own != in_log or column in keys:
                lines.append(f"        {own} {column}{' PK' * (column in keys)}")
        lines.append("    }")
    return "```mermaid\nerDiagram\n" + "\n".join(lines) + "\n```\n"


def _plain_type(type_: str) -> str:
    """Return the name of a ClickHouse type, without its parameters and storage options."""
    inner = re.sub(r"\b(?:Nullable|LowCardinality)\(", "", type_)
    return re.sub(r"^Enum8$", "Enum", inner.partition("(")[0].rstrip(")"))


def capacity_table() -> str:
    """Return a table of the resources for loads of several sizes, from `auditlane capacity`."""
    rows = []
    for rate, tenants in (("1k", 500), ("10k", 2_000), ("100k", 10_000), ("1M", 50_000)):
        needs = estimate(Demand(rate=amount(rate, ""), tenants=tenants, retention_days=30.0))
        rows.append(
            (
                f"{rate}, {tenants:,}",
                large(needs.events_per_month),
                f"{needs.workers} × {needs.shards}",
                f"{needs.partitions} × {needs.shards}",
                f"{needs.shards} × {REPLICAS}: {needs.clickhouse_vcpu} vCPU, {size(needs.clickhouse_memory_bytes)}",
                str(needs.table_partitions),
                size(needs.clickhouse_bytes_of_replica),
                size(needs.kafka_bytes),
            )
        )
    head = (
        "Events/s, tenants",
        "Events a month",
        "Workers",
        "Partitions",
        "ClickHouse",
        "Table by",
        "Each replica, a month",
        "Kafka",
    )
    return table(head, rows)


def unit_costs() -> str:
    """Return a table of the constants on which `auditlane capacity` is based."""
    rows = [
        ("a worker's CPU for a million events", f"{capacity.WORKER_CPU_S:g} s", "measured"),
        ("the same, if the gateway has signed them", f"{capacity.SIGNED_CPU_S:g} s", "measured as a ratio"),
        ("the gateway's CPU for a million events", f"{capacity.GATEWAY_CPU_S:g} s", "measured, large requests"),
        ("ClickHouse's CPU for inserting a million rows", f"{capacity.INSERT_CPU_S:g} s", "measured"),
        ("ClickHouse's CPU for merging them, each replica", f"{capacity.MERGE_CPU_S:g} s", "measured, two passes"),
        ("bytes of a row in ClickHouse", str(capacity.ROW_BYTES), "measured"),
        ("bytes of a message in Kafka", str(capacity.MESSAGE_BYTES), "assumed: 40 % of 557"),
        ("planned load of a worker", f"{capacity.POD_CORES:g} cores", "half of what one sustains"),
        ("events per second of a shard", f"{capacity.SHARD_RATE:,}", "assumed: sequential inserts of 0.5 s"),
        ("parts per second of a shard", f"{capacity.SHARD_PARTS:g}", "chosen"),
        ("partitions per worker", str(capacity.PARTITIONS_OF_POD), "chosen"),
        ("events per second of a shard whose months merge into one part", str(capacity.MONTH_RATE), "150 GB"),
        ("the same for days", f"{capacity.DAY_RATE:,}", "150 GB"),
        ("vCPU of a ClickHouse server", "4, 8 or 16", "assumed: queries take most of it"),
    ]
    return table(("Unit cost", "Value", "Basis"), rows)


BLOCKS: dict[str, Callable[[], str]] = {
    "roles": roles_sql,
    "acls": acl_commands,
    "security_checks": security_checks,
    "settings": settings_table,
    "budgets": budgets_table,
    "errors": errors_table,
    "codes": codes_table,
    "http_codes": http_codes,
    "metrics": metrics_table,
    "log_events": log_events_table,
    "permissions": permissions_table,
    "actions": actions_tables,
    "action_names": action_names,
    "capacity": capacity_table,
    "unit_costs": unit_costs,
    "cli": cli_help,
    "layers": layers,
    "log_columns": log_columns,
    "entities": entities,
    "packages": packages,
}


def render(text: str) -> str:
    """Return the page with up-to-date generated blocks."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{BLOCKS[match[2]]()}\n{match[3]}", text)


def pages() -> list[Path]:
    """Return the pages that may contain generated blocks."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    return [ROOT / "README.md", *(page for page in found if "node_modules" not in page.parts)]  # an example's packages


def main() -> int:
    stale = []
    for page in pages():
        text = page.read_text()
        if (new := render(text)) != text:
            stale.append(page)
            if "--check" not in sys.argv:
                page.write_text(new)
    for page in stale:
        print(f"{page.relative_to(ROOT)}: {'out of date: run make docs' if '--check' in sys.argv else 'written'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
