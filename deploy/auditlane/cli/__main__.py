"""`python -m auditlane.cli`: the same command, for when the console script is not on the PATH."""

from auditlane.cli.main import run

run()
