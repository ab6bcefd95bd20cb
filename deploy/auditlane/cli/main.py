"""The console script. It names a missing extra, and turns auditlane's errors into a message and an exit code."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

from auditlane.cli import pipes
from auditlane.cli.subcommands import find
from auditlane.runtime import signals
from auditlane.runtime.errors import AuditlaneError, MissingExtra, exit_code
from auditlane.runtime.files import private

# Their warnings about retries do not belong in a command's output; the final error reports the cause.
_CLIENTS = ("auditlane.sdk", "librdkafka")


def run() -> None:
    """Run the `auditlane` command. The exit code is 0, the error's code from `runtime.errors`, 2 for wrong usage, or
    130 after Ctrl-C.
    """
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
    """Return the error for a missing module that belongs to an extra.

    Raises `error` again if one of auditlane's own modules is missing, which is a bug.
    """
    if (error.name or "").startswith("auditlane"):
        raise error
    subcommand = next((found for word in arguments if (found := find(word))), None)
    what = f"`auditlane {subcommand.name}`" if subcommand else "The command line"
    extra = subcommand.extra if subcommand else "cli"
    return MissingExtra(f"{what} needs {error.name}.", fix=f"Install it: pip install 'auditlane[{extra}]'")


def _print_error(error: AuditlaneError) -> None:
    with suppress(OSError):  # the exit code reports the failure even if stderr cannot be written
        print(f"error {error.code}: {error.message}", file=sys.stderr)
        if error.fix:
            print(f"  {error.fix}", file=sys.stderr)
