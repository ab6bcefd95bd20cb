"""Records fastapi-users events with a mixin for the user manager, since fastapi-users has no signals."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar, Final

from auditlane.integrations.web.accounts import of_user, record_login_failed
from auditlane.sdk import AuditClient, audit

Values = dict[str, Any]
Describe = Callable[..., list[Values]]

_inside: ContextVar[frozenset[str]] = ContextVar("auditlane_user_manager", default=frozenset())
_DONE: Final = "_auditlane_records"
_PASSWORD: Final = frozenset({"password", "hashed_password"})


class AuditedUsers:
    """Records registrations, logins, failed logins and account changes. List it before BaseUserManager.

        class UserManager(AuditedUsers, UUIDIDMixin, BaseUserManager[User, uuid.UUID]): ...

    The manager's methods may be overridden as usual. A method that does not call `super()` is recorded too. There is no
    event for a logout, which fastapi-users does not report.
    """

    audit_client: ClassVar[AuditClient] = audit
    audit_social = False  # whether this request's user came from an OAuth provider

    def _record(self, describe: Describe, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        try:
            for values in describe(*args, **kwargs, social=self.audit_social):
                self.audit_client.record(**values)
        except Exception as error:  # raised by the application's user class
            self.audit_client.report_unrecorded(error)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap the methods of this class, wherever they are defined."""
        super().__init_subclass__(**kwargs)
        for name, describe in _AFTER.items():
            method = getattr(cls, name, None)
            if method is not None and not hasattr(method, _DONE):
                setattr(cls, name, _recorded(name, method, describe))
        for name, surround in (("authenticate", _authenticated), ("oauth_callback", _social)):
            method = getattr(cls, name, None)
            if method is not None and not hasattr(method, _DONE):
                setattr(cls, name, surround(method))


def _recorded(name: str, method: Callable[..., Awaitable[Any]], describe: Describe) -> Callable[..., Awaitable[Any]]:
    """Return a hook that records an event before it runs, since the event has happened even if the hook then raises an
    error.
    """

    @functools.wraps(method)
    async def hook(self: AuditedUsers, *args: Any, **kwargs: Any) -> Any:
        inside = _inside.get()
        if name in inside:  # called by `super()`
            return await method(self, *args, **kwargs)
        token = _inside.set(inside | {name})
        try:
            self._record(describe, args, kwargs)
            return await method(self, *args, **kwargs)
        finally:
            _inside.reset(token)

    setattr(hook, _DONE, True)
    return hook


def _authenticated(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(method)
    async def authenticate(self: AuditedUsers, credentials: Any) -> Any:
        inside = _inside.get()
        if "authenticate" in inside:
            return await method(self, credentials)
        token = _inside.set(inside | {"authenticate"})
        try:
            user = await method(self, credentials)
        finally:
            _inside.reset(token)
        login = getattr(credentials, "username", None)
        if user is None:
            record_login_failed(self.audit_client, login, "bad_credentials")
        elif not getattr(user, "is_active", True):  # fastapi-users rejects an inactive user after this call
            record_login_failed(self.audit_client, login, "disabled", user_id=_id(user))
        return user

    setattr(authenticate, _DONE, True)
    return authenticate


def _social(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Wrap the callback to note that the login that follows does not use a password."""

    @functools.wraps(method)
    async def oauth_callback(self: AuditedUsers, *args: Any, **kwargs: Any) -> Any:
        self.audit_social = True
        return await method(self, *args, **kwargs)

    setattr(oauth_callback, _DONE, True)
    return oauth_callback


def _registered(user: Any, request: Any = None, *, social: bool) -> list[Values]:
    return [of_user("user.created", _id(user), via="sso" if social else "signup")]


def _logged_in(user: Any, request: Any = None, response: Any = None, *, social: bool) -> list[Values]:
    return [of_user("user.login", _id(user), method="social" if social else "password")]


def _updated(user: Any, update_dict: Mapping[str, Any], request: Any = None, *, social: bool) -> list[Values]:
    """Describe a change by its fields' names, never their values. Some fields have their own action."""
    made, names = [], {str(name) for name in update_dict}
    if names & _PASSWORD:
        made.append(of_user("user.password_changed", _id(user), by_user=False))
    if "is_active" in names:
        made.append(of_user("user.enabled" if user.is_active else "user.disabled", _id(user), by_user=False, via="api"))
    if "is_superuser" in names:
        action = "role.assigned" if user.is_superuser else "role.removed"
        made.append(of_user(action, _id(user), by_user=False, role="superuser") | {"severity": "High"})
    others = names - _PASSWORD - {"is_active", "is_superuser"}
    if others or not names:  # no fields are named when an OAuth account is linked
        changed = ", ".join(sorted(others)) or "oauth_accounts"
        made.append(of_user("user.updated", _id(user), by_user=False, changed_fields=changed))
    return made


def _forgot_password(user: Any, token: str, request: Any = None, *, social: bool) -> list[Values]:
    return [of_user("user.password_reset_requested", _id(user), by_user=False, by="self")]


def _reset_password(user: Any, request: Any = None, *, social: bool) -> list[Values]:
    return [of_user("user.password_reset", _id(user), by="self")]


def _verified(user: Any, request: Any = None, *, social: bool) -> list[Values]:
    return [of_user("user.email_verified", _id(user))]


def _deleted(user: Any, request: Any = None, *, social: bool) -> list[Values]:
    return [of_user("user.deleted", _id(user), by_user=False, via="api")]


# Hooks, and the action that each follows. Some receive a token, which is secret and never recorded.
_AFTER: Final[Mapping[str, Describe]] = {
    "on_after_register": _registered,
    "on_after_login": _logged_in,
    "on_after_update": _updated,
    "on_after_forgot_password": _forgot_password,
    "on_after_reset_password": _reset_password,
    "on_after_verify": _verified,
    "on_after_delete": _deleted,
}


def _id(user: Any) -> object:
    return getattr(user, "id", None)
