"""The event that somebody sends to see that events arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from auditlane.access.scope import TenantScope

ACTION: Final = "auditlane.test"


def sample_event(scope: TenantScope, changes: Mapping[str, Any]) -> dict[str, Any]:
    """As a caller would post it; `changes` win, so that a tenant's own contract can be met."""
    return {
        "action": ACTION,
        "actor_id": scope.actor,
        "outcome": "success",
        "resource": "audit_log",
        "description": "A test event: it shows that events arrive.",
        "source": "auditlane",
        **changes,
    }
