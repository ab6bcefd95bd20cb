"""The provenance keys for a command that judges messages as the worker does."""

from __future__ import annotations

import sys

from auditlane.access.provenance_secrets import Secrets
from auditlane.runtime.settings import Settings


def secrets(settings: Settings) -> Secrets:
    """The keys; that there are none is said on stderr, which leaves the command's own output alone."""
    return Secrets(settings, on_missing=lambda problem, means: print(f"{problem} Therefore {means}.", file=sys.stderr))
