"""The console script: says which extra is missing, turns our errors into a message and an exit code."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

from auditlane.cli import pipes
from auditlane.cli.subcommands import find
from auditlane.runtime import signals
from auditlane.runtime.errors import AuditlaneError, MissingExtra, exit_code
from auditlane.runtime.files import private

# What these say while they try is no output of a command, whose error says it at the end; a configured log has it.
_CLIENTS = ("auditlane.sdk", "librdkafka")


def run() -> None:
    """Entry point of the `auditlane` command. Exit codes: `runtime.errors`; 2 on wrong usage, 130 on Ctrl-C."""
    private()
    signals.ordinary()
    pipes.raise_on_output_errors()
    for name in _CLIENTS:
        logging.getLogger(name).addHandler(logging.NullHandler())
    try:
        try:
            from auditlane.cli.app import app

            app(prog_name="auditlane")
        except ModuleNotFoundError as error:
            raise missing_extra(error, sys.argv[1:]) from error
        finally:
            pipes.flush()
    except BrokenPipeError:
        sys.exit(pipes.SIGPIPE_EXIT_CODE)
    except AuditlaneError as error:
        _print_error(error)
        sys.exit(exit_code(error))


def missing_extra(error: ModuleNotFoundError, arguments: list[str]) -> AuditlaneError:
    """What to say when a module that an extra brings is not installed; our own missing module stays a bug."""
    if (error.name or "").startswith("auditlane"):
        raise error
    subcommand = next((found for word in arguments if (found := find(word))), None)
    what = f"`auditlane {subcommand.name}`" if subcommand else "The command line"
    extra = subcommand.extra if subcommand else "cli"
    return MissingExtra(f"{what} needs {error.name}.", fix=f"Install it: pip install 'auditlane[{extra}]'")


def _print_error(error: AuditlaneError) -> None:
    with suppress(OSError):  # where standard error cannot be written the exit code still says it
        print(f"error {error.code}: {error.message}", file=sys.stderr)
        if error.fix:
            print(f"  {error.fix}", file=sys.stderr)
