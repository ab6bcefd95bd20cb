"""Events of user accounts that several frameworks record. Pure."""

from __future__ import annotations

from typing import Any

from auditlane.contract.vocabulary import ACTIONS
from auditlane.sdk.masking import masked


def of_user(action: str, user_id: object, *, by_user: bool = True, **metadata: str) -> dict[str, Any]:
    """Return the values of a successful action of the vocabulary on a user's account; `by_user`: the user did it."""
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


def login_failed(login: object, reason: str, *, method: str = "password", user_id: object = None) -> dict[str, Any]:
    """Return the values of a failed login; `login` is masked, since people type passwords there.

    The outcome is `denied` if the credentials may have been right, but the account is locked or disabled, or a policy
    forbids the login.
    """
    return {
        "action": "user.login_failed",
        "outcome": "denied" if reason in ("locked", "disabled", "policy") else "failure",
        "severity": ACTIONS["user.login_failed"].severity,
        "resource": "user",
        "resource_id": None if user_id is None else str(user_id),
        "metadata": {"reason": reason, "login": masked(login), "method": method},
    }
