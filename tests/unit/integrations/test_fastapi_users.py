"""Tests the mixin for fastapi-users with a small stand-in that has the same hooks. The real library is tested in
tests/integration.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from recording import RecordingClient

from auditlane.integrations.fastapi import AuditedUsers


class BaseUserManager:
    """A minimal version of the fastapi-users class, with only the parts that the mixin needs."""

    async def authenticate(self, credentials):
        return credentials.user

    async def oauth_callback(self, *args):
        return SimpleNamespace(id=7)

    async def on_after_register(self, user, request=None): ...
    async def on_after_login(self, user, request=None, response=None): ...
    async def on_after_update(self, user, update_dict, request=None): ...
    async def on_after_forgot_password(self, user, token, request=None): ...
    async def on_after_reset_password(self, user, request=None): ...
    async def on_after_verify(self, user, request=None): ...
    async def on_after_delete(self, user, request=None): ...


USER = SimpleNamespace(id=7, is_active=True, is_superuser=False)


def run(step):
    return asyncio.run(step)


@pytest.fixture
def client() -> RecordingClient:
    return RecordingClient()


@pytest.fixture(params=["first", "last"])
def manager(request, client):
    bases = (AuditedUsers, BaseUserManager) if request.param == "first" else (BaseUserManager, AuditedUsers)
    return type("UserManager", bases, {"audit_client": client})()


@pytest.mark.parametrize(
    ("hook", "arguments", "action", "metadata"),
    [
        ("on_after_register", (), "user.created", {"via": "signup"}),
        ("on_after_login", (), "user.login", {"method": "password"}),
        ("on_after_forgot_password", ("secret",), "user.password_reset_requested", {"by": "self"}),
        ("on_after_reset_password", (), "user.password_reset", {"by": "self"}),
        ("on_after_verify", (), "user.email_verified", {}),
        ("on_after_delete", (), "user.deleted", {"via": "api"}),
        (
            "on_after_update",
            ({"name": "secret", "email": "secret"},),
            "user.updated",
            {"changed_fields": "email, name"},
        ),
        ("on_after_update", ({},), "user.updated", {"changed_fields": "oauth_accounts"}),
        ("on_after_update", ({"password": "secret"},), "user.password_changed", {}),
        ("on_after_update", ({"is_active": True},), "user.enabled", {"via": "api"}),
        ("on_after_update", ({"is_superuser": False},), "role.removed", {"role": "superuser"}),
    ],
)
def test_hooks_become_events(manager, client, hook, arguments, action, metadata):
    run(getattr(manager, hook)(USER, *arguments))
    event = client.only
    assert (event.action, event.outcome.value, event.resource, event.resource_id) == (action, "success", "user", "7")
    assert event.metadata == metadata
    assert "secret" not in event.model_dump_json()


def test_a_failed_login_is_recorded_masked(manager, client):
    assert run(manager.authenticate(SimpleNamespace(username="jane@acme.example", user=None))) is None
    assert (client.only.action, client.only.outcome.value) == ("user.login_failed", "failure")
    assert client.only.metadata["login"] == "j***@acme.example"
    assert client.only.metadata["reason"] == "bad_credentials"


def test_the_login_of_a_disabled_user_is_denied(manager, client):
    user = SimpleNamespace(id=7, is_active=False)
    assert run(manager.authenticate(SimpleNamespace(username="jane", user=user))) is user
    assert (client.only.outcome.value, client.only.metadata["reason"]) == ("denied", "disabled")


def test_a_right_password_is_not_yet_a_login(manager, client):
    run(manager.authenticate(SimpleNamespace(username="jane", user=USER)))
    assert client.events == []


def test_a_login_after_an_oauth_callback_is_social(manager, client):
    async def scenario():
        await manager.oauth_callback()
        await manager.on_after_register(USER)
        await manager.on_after_login(USER)

    run(scenario())
    assert [event.metadata for event in client.events] == [{"via": "sso"}, {"method": "social"}]


@pytest.mark.parametrize("calls_super", [False, True])
def test_overridden_methods_are_recorded_once(client, calls_super):
    called = []

    class UserManager(AuditedUsers, BaseUserManager):
        audit_client = client

        async def on_after_login(self, user, request=None, response=None):
            called.append("login")
            if calls_super:
                await super().on_after_login(user, request, response)

        async def authenticate(self, credentials):
            called.append("authenticate")
            return await super().authenticate(credentials) if calls_super else None

    class Derived(UserManager):
        async def on_after_login(self, user, request=None, response=None):
            await super().on_after_login(user, request, response)

    run(Derived().on_after_login(USER))
    run(Derived().authenticate(SimpleNamespace(username="jane", user=None)))
    assert [event.action for event in client.events] == ["user.login", "user.login_failed"]
    assert called == ["login", "authenticate"]


def test_a_hook_that_cannot_be_described_still_runs(client):
    class UserManager(AuditedUsers, BaseUserManager):
        audit_client = client

        async def on_after_login(self, user, request=None, response=None, *, device=None):
            return device

    assert run(UserManager().on_after_login(USER, device="phone")) == "phone"
    assert client.events == []
    assert [type(error.__cause__) for error in client.errors] == [TypeError]


def test_a_password_typed_as_a_login_is_not_shown(manager, client):
    run(manager.authenticate(SimpleNamespace(username="P@ssw0rd", user=None)))
    assert client.only.metadata["login"] == "P***"


def test_a_hook_that_raises_does_not_undo_what_has_happened(client):
    class UserManager(AuditedUsers, BaseUserManager):
        audit_client = client

        async def on_after_register(self, user, request=None):
            raise OSError("the mail server is away")

    with pytest.raises(OSError, match="mail server"):
        run(UserManager().on_after_register(USER))
    assert client.only.action == "user.created"
