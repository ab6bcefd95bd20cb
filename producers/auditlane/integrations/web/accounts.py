"""User-account events that several framework integrations record."""

from __future__ import annotations

from typing import Any

from auditlane.contract.vocabulary import ACTIONS
from auditlane.runtime.errors import AuditlaneError
from auditlane.sdk import AuditClient
from auditlane.sdk.masking import masked


def of_user(action: str, user_id: object, *, by_user: bool = True, **metadata: str) -> dict[str, Any]:
    """Return the values for a successful vocabulary action on a user's account.

    `by_user` is true if the user performed it, and false if someone else did.
    """
    text = None if user_id is None else str(user_id)
    known = ACTIONS[action]
    values: dict[str, Any] = {
        "action": action,
        "outcome": "success",
        "severity": known.severity,
        "resource": known.resource,
        "resource_id": text,
        "metadata": metadata,
    }
    return values | {"actor_id": text} if by_user and text else values


def record_login_failed(
    client: AuditClient, login: object, reason: str, *, method: str = "password", user_id: object = None
) -> None:
    """Record a failed login. `login` is masked unless the client hashes it, since people type passwords into that
    field.

    The outcome is `denied` if the credentials may have been right, but the account is locked or disabled, or a policy
    forbids the login.
    """
    client.record(
        action="user.login_failed",
        outcome="denied" if reason in ("locked", "disabled", "policy") else "failure",
        severity=ACTIONS["user.login_failed"].severity,
        resource="user",
        resource_id=None if user_id is None else str(user_id),
        metadata={"reason": reason, "login": login if _hashes_logins(client) else masked(login), "method": method},
    )


def _hashes_logins(client: AuditClient) -> bool:
    try:
        return "metadata.login" in client.config.hash_values
    except AuditlaneError:  # settings are missing, which `record` reports
        return False
