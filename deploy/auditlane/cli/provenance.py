"""Loads provenance keys for commands that validate messages like a worker."""

from __future__ import annotations

import sys

from auditlane.access.provenance_secrets import Secrets
from auditlane.runtime.settings import Settings


def secrets(settings: Settings) -> Secrets:
    """Load the provenance keys. Missing keys are reported on stderr, so that the command's output stays clean."""
    return Secrets(settings, on_missing=lambda problem, means: print(f"{problem} Therefore {means}.", file=sys.stderr))
