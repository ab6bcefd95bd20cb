"""Runs the command as `python -m auditlane.cli`, for when the console script is not on the PATH."""

from auditlane.cli.main import run

run()
