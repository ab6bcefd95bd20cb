"""Connects commands to the stack running in the data directory, with its addresses, files and passwords."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from auditlane.local.layout import Layout
from auditlane.local.stack_variables import missing_variables
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import Settings, variable


def use_running_stack() -> None:
    """Add missing variables of the stack running in the data directory to this process's environment."""
    given = os.environ.get(variable("data_dir"))
    layout = Layout.of(Path(given) if given else Settings.model_fields["data_dir"].default)
    with suppress(ConfigError):  # a directory of another user, which this user may not read
        state = layout.read_state()
        if state.get("phase") == "running" and layout.owner() is not None:
            os.environ.update(missing_variables(os.environ, state.get("env", {})))
