"""Actions on users: sign-in, credentials, the account."""

from __future__ import annotations

from functools import partial
from typing import Final

from auditlane.contract.vocabulary.action import Action, MetadataKey

_action = partial(Action, group="user_management", resource="user")

_METHODS: Final = ("password", "sso", "social", "passkey", "magic_link", "device")
_BY: Final = MetadataKey("Who did it.", ("self", "admin", "system"))
_VIA: Final = MetadataKey("How it happened, such as `admin`, `self` or `scim`.")
_FACTOR: Final = MetadataKey("The second factor.", ("totp", "webauthn", "sms", "push", "recovery", "all"))
_PROVIDER: Final = MetadataKey("The identity provider, such as `google`.")
_EMAIL: Final = MetadataKey("The invited address.", masked=True)
_ROLES: Final = MetadataKey("The roles that the user is to have.", kind="list")

DEFINITIONS: Final = (
    _action(
        "user.login",
        "A user signed in.",
        required={"method": MetadataKey("How the user was authenticated.", _METHODS)},
        optional={
            "mfa": MetadataKey("The second factor that was used, or `none`."),
            "session_id": MetadataKey("Id of the session that began."),
            "client_id": MetadataKey("Id of the application that the user signed in to."),
            "connection": MetadataKey("The identity provider's connection."),
        },
    ),
    _action(
        "user.login_failed",
        "A user failed to sign in. The outcome is `denied` if a rule blocked the attempt.",
        outcome="failure",
        severity="Medium",
        required={
            "reason": MetadataKey(
                "Why the attempt failed.",
                ("bad_credentials", "unknown_user", "mfa", "locked", "disabled", "expired", "policy"),
            )
        },
        optional={
            "login": MetadataKey("The login as typed, which may be a password typed into the wrong box.", masked=True),
            "method": MetadataKey("How the user tried to authenticate.", _METHODS),
        },
    ),
    _action(
        "user.logout",
        "A user signed out.",
        optional={"session_id": MetadataKey("Id of the session that ended.")},
    ),
    _action(
        "session.revoked",
        "A session was ended by someone else, or all sessions of a user were ended.",
        severity="Low",
        resource="session",
        required={"by": _BY},
        optional={"count": MetadataKey("Number of sessions.", kind="number")},
    ),
    _action(
        "user.locked",
        "An account was locked after failed attempts, or by an administrator.",
        severity="High",
        required={"reason": MetadataKey("Why it was locked, such as `attempts` or `admin`.")},
        optional={
            "until": MetadataKey("When the lock ends.", kind="time"),
            "attempts": MetadataKey("Number of failed attempts.", kind="number"),
        },
    ),
    _action(
        "user.unlocked",
        "A locked account was unlocked.",
        severity="Low",
        required={"reason": MetadataKey("Why it was unlocked, such as `expired` or `admin`.")},
    ),
    _action(
        "user.impersonated",
        "Someone began acting as a user. Events that follow have the user in `on_behalf_of`.",
        severity="High",
        required={"reason": MetadataKey("Why it was necessary, or `none_given`.")},
    ),
    _action(
        "user.impersonation_ended",
        "Someone stopped acting as a user.",
        required={"reason": MetadataKey("Why it was necessary, or `none_given`.")},
    ),
    _action(
        "user.password_changed",
        "A user changed their own password.",
        severity="Medium",
        optional={"sessions_kept": MetadataKey("Whether other sessions continue: `true` or `false`.")},
    ),
    _action(
        "user.password_reset_requested",
        "A password reset message was requested.",
        severity="Low",
        required={"by": _BY},
    ),
    _action(
        "user.password_reset",
        "A password was reset by its user after such a message, or set by an administrator.",
        severity="Medium",
        required={"by": _BY},
    ),
    _action(
        "user.mfa_enrolled",
        "A second factor was added to an account.",
        severity="Medium",
        required={"factor": _FACTOR, "by": _BY},
    ),
    _action(
        "user.mfa_removed",
        "A second factor was removed from an account, or reset.",
        severity="High",
        required={"factor": _FACTOR, "by": _BY},
    ),
    _action(
        "user.email_changed",
        "The e-mail address of a user was changed. `before` and `after` contain the addresses.",
        severity="Medium",
        masks_changes=True,
    ),
    _action("user.email_verified", "A user proved that an e-mail address is theirs."),
    _action(
        "user.created",
        "An account was created.",
        severity="Low",
        required={
            "via": MetadataKey("How it was created.", ("signup", "invite", "admin", "scim", "sso", "import")),
        },
    ),
    _action(
        "user.updated",
        "The profile of a user was changed. `before` and `after` contain the values.",
        required={"changed_fields": MetadataKey("Names of the fields that were changed.", kind="list")},
    ),
    _action("user.enabled", "A disabled account was enabled.", severity="Low", required={"via": _VIA}),
    _action("user.disabled", "An account was disabled.", severity="Medium", required={"via": _VIA}),
    _action("user.deleted", "An account was deleted.", severity="Medium", required={"via": _VIA}),
    _action(
        "user.invited",
        "A person was invited to become a user.",
        severity="Low",
        resource="invitation",
        required={"email": _EMAIL, "roles": _ROLES},
    ),
    _action(
        "invitation.accepted",
        "An invitation was accepted.",
        severity="Low",
        resource="invitation",
        required={"email": _EMAIL, "roles": _ROLES},
    ),
    _action(
        "invitation.revoked",
        "An invitation was withdrawn.",
        severity="Low",
        resource="invitation",
        required={"email": _EMAIL, "roles": _ROLES},
    ),
    _action(
        "user.identity_linked",
        "A social or single sign-on identity was linked to an account.",
        severity="Medium",
        required={"provider": _PROVIDER},
    ),
    _action(
        "user.identity_unlinked",
        "A social or single sign-on identity was unlinked from an account.",
        severity="Medium",
        required={"provider": _PROVIDER},
    ),
)
