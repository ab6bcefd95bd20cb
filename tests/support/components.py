"""Decides what a missing component, such as a program or a package, means for a test."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str, why: str) -> NoReturn:
    """Skip the test visibly, or fail it with `CI=true`, which requires every component that CONTRIBUTING.md does not
    name as optional.
    """
    message = f"{what} is missing: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
