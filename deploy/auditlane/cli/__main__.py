"""`python -m auditlane.cli`: the same command where no console script is on the path."""

from auditlane.cli.main import run

run()
