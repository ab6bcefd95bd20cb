"""`python -m auditlane.cli`: runs the same command when the console script is not on the PATH."""

from auditlane.cli.main import run

run()
