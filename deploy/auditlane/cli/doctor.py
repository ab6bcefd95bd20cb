"""Implements `auditlane doctor`, which checks every part or the security of an installation, and prints fixes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from auditlane.cli.help_text import DataDirectory, examples
from auditlane.local.doctor.access import Component
from auditlane.local.doctor.finding import Finding, Level, exit_code
from auditlane.local.doctor.run import examine, examine_component, examine_security
from auditlane.observe.security.findings import Report, Severity
from auditlane.runtime import settings as settings_
from auditlane.runtime.settings import Settings

app = typer.Typer(add_completion=False)
FOUND: Final = 7  # exit code of --security if a finding is severe enough
NOT_MADE: Final = 6  # exit code of --security if no finding is, but some checks could not be made
_LABELS: Final = {Level.OK: "[green]ok  [/]", Level.WARN: "[yellow]warn[/]", Level.FAIL: "[red]fail[/]"}
_COLOURS: Final = {
    Severity.critical: "bold red",
    Severity.high: "red",
    Severity.medium: "yellow",
    Severity.low: "blue",
    Severity.info: "dim",
}


@app.command(
    epilog=examples("doctor", "doctor --json", "doctor --component worker", "doctor --security --fail-on medium")
)
def command(
    data: DataDirectory = None,
    component: Annotated[
        Component | None,
        typer.Option(
            "--component",
            help="Check only what this component needs with the present settings: its secrets, the grants of its "
            "accounts, and the parts that it uses.",
        ),
    ] = None,
    security: Annotated[
        bool, typer.Option("--security", help="Check the security of the installation instead.")
    ] = False,
    fail_on: Annotated[
        Severity | None,
        typer.Option(help="With --security: the lowest severity that makes the command fail.", show_default="high"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check every part of an installation, embedded or not, and print fixes.

    The exit code is 0 if no check fails (warnings are allowed), 6 if checks fail only because parts do not respond or
    are not ready, so that a retry may succeed, and 1 otherwise. Invalid settings, such as the missing file of a secret,
    end the command with 2.

    Without --component, the accounts are those of `init`, which operators' commands use.

    With --security, the exit code is 7 if there is a finding of at least the severity --fail-on. Otherwise, it is 6 if
    some checks could not be made, and 0 if all were made. A check that was not made is never reported as passed.
    """
    out = Console(soft_wrap=True, highlight=False)
    settings = settings_.load(data_dir=data)
    if fail_on and not security:
        raise typer.BadParameter("Add --security.", param_hint="--fail-on")
    if security and component:
        raise typer.BadParameter("Use either --component or --security.", param_hint="--component")
    if security:
        code = _security(settings, fail_on or Severity.high, out, as_json=as_json)
    else:
        code = _parts(examine_component(settings, component) if component else examine(settings), out, as_json=as_json)
    if code:
        raise typer.Exit(code)


def _parts(examined: Iterable[Finding], out: Console, *, as_json: bool) -> int:
    findings = []
    for finding in examined:
        findings.append(finding)
        if not as_json:
            out.print(f"{_LABELS[finding.level]}  {finding.part:<11}{escape(finding.message)}")
            if finding.fix:
                out.print(f"                 → {escape(finding.fix)}")
    code = exit_code(findings)
    if as_json:
        print(json.dumps({"healthy": code == 0, "findings": [asdict(finding) for finding in findings]}))
    return code


def _security(settings: Settings, fail_on: Severity, out: Console, *, as_json: bool) -> int:
    report = examine_security(settings)
    if as_json:
        print(json.dumps(report.document() | {"fail_on": fail_on}))
    else:
        _print(report, out)
    if report.at_least(fail_on):
        return FOUND
    return NOT_MADE if report.not_made else 0


def _print(report: Report, out: Console) -> None:
    for finding in report.findings:
        colour = _COLOURS[finding.severity]
        out.print(f"[{colour}]{finding.severity:<8}[/]  {escape(finding.what)}  [dim]{finding.code}[/]")
        out.print(f"          {escape(finding.why)}")
        out.print(f"          → {escape(finding.fix)}")
    for gap in report.not_made:
        out.print(f"[magenta]not made[/]  {escape(gap.check)}: {escape(gap.reason)}")
        out.print(f"          → {escape(gap.needs)}")
    incomplete = len({gap.check for gap in report.not_made})
    complete = len(report.checks) - incomplete
    out.print(f"{complete} checks made, {incomplete} not made or not completely; {len(report.findings)} findings.")
