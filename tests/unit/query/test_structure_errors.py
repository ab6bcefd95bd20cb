"""Tests how registry errors are shown to a tenant's admin. The message names the kind of error, but not the registry's
address.
"""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from auditlane.query.structure.router import public_errors
from auditlane.runtime.errors import (
    AuditlaneError,
    FieldConflict,
    RegistryRefused,
    RegistryUnavailable,
    SchemaIncompatible,
    SchemaNotFound,
)

SAID = "The registry at http://registry.internal:8081 responded with 42201: no"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RegistryRefused(SAID, fix="Check AUDITLANE_REGISTRY_USER."), "REGISTRY_REFUSED"),
        (SchemaIncompatible(SAID), "REGISTRY_REFUSED"),
        (SchemaNotFound(SAID, fix="Run `auditlane init`, or check AUDITLANE_REGISTRY_URL."), "SCHEMA_NOT_FOUND"),
        (RegistryUnavailable(SAID, fix="Check AUDITLANE_REGISTRY_URL."), "REGISTRY_UNAVAILABLE"),
    ],
)
def test_a_registrys_host_is_only_in_the_operators_log(error: AuditlaneError, code: str) -> None:
    with capture_logs() as logged, pytest.raises(AuditlaneError) as caught, public_errors():
        raise error
    assert caught.value.code == code
    assert "registry.internal" not in str(caught.value)
    assert "AUDITLANE_" not in f"{caught.value.message} {caught.value.fix}"
    assert "registry.internal" in str(logged)


def test_an_error_that_the_caller_can_correct_is_returned_unchanged() -> None:
    with pytest.raises(FieldConflict, match="There is one"), public_errors():
        raise FieldConflict("There is one.", field="name")
