"""Tests `auditlane canary` with mutually exclusive options."""

from __future__ import annotations

import pytest

from auditlane.cli.app import app
from auditlane.runtime.errors import InvalidInput


@pytest.mark.parametrize(
    ("arguments", "field"),
    [(("--once", "--port", "0"), "--once"), (("--once", "--host", "::1"), "--once"), (("--json",), "--json")],
)
def test_options_that_exclude_each_other_are_refused(arguments: tuple[str, ...], field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        app(["canary", *arguments], standalone_mode=False)
    assert raised.value.field == field
    assert raised.value.fix
