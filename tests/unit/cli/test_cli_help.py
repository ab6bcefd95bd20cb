"""Tests the help of each command. It has a summary, a description of each option, and examples that the command
accepts.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from auditlane.cli.app import app, load
from auditlane.cli.help_text import examples, examples_of, tidy
from auditlane.cli.subcommands import SUBCOMMANDS


def commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


EVERY = [found for subcommand in SUBCOMMANDS for found in commands(load(subcommand), (subcommand.name,))]
each_command = pytest.mark.parametrize(("path", "command"), EVERY, ids=[" ".join(path) for path, _ in EVERY])


@each_command
def test_every_command_and_option_is_explained(path: tuple[str, ...], command: Any) -> None:
    summary = command.help.partition("\n")[0]
    assert summary[:1].isupper()
    assert summary.endswith((".", ")."))
    visible = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    assert [parameter.name for parameter in visible if not parameter.help] == []


@each_command
def test_the_examples_are_accepted(path: tuple[str, ...], command: Any) -> None:
    lines = examples_of(command.epilog)
    assert lines
    for line in lines:
        words = shlex.split(line.partition(" < ")[0])
        assert words[: len(path) + 1] == ["auditlane", *path] or hasattr(command, "commands"), line
        leaf = next(found for name, found in reversed(EVERY) if list(name) == words[1 : len(name) + 1])
        depth = next(len(name) for name, found in EVERY if found is leaf)
        leaf.make_context(" ".join(words[: depth + 1]), words[depth + 1 :])


@each_command
def test_flags_have_no_type(path: tuple[str, ...], command: Any) -> None:
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "--help" in shown.output
    assert "<bool>" not in shown.output


def test_the_root_lists_every_subcommand_and_no_type_beside_a_flag() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    assert all(subcommand.help in shown for subcommand in SUBCOMMANDS)
    assert "<bool>" not in shown


def test_the_lines_of_a_paragraph_are_joined() -> None:
    app = typer.Typer()

    @app.command(epilog=examples("x --flag", "x"))
    def command(flag: bool = False) -> None:
        """Do one thing and another.

        Second paragraph.
        """

    made = tidy(typer.main.get_command(app))
    assert made.help == "Do one thing and another.\n\nSecond paragraph."
    assert examples_of(made.epilog) == ["auditlane x --flag", "auditlane x"]
    assert examples_of(None) == []
