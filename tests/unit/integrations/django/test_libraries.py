"""Tests that REST framework, allauth and axes, if installed, add the events that Django's own signals do not cover."""

from __future__ import annotations

import pytest


def api(user, key=None):
    from django.test import Client
    from rest_framework.authtoken.models import Token

    key = key or Token.objects.create(user=user).key
    return Client(headers={"host": "acme.example", "authorization": f"Token {key}"})


def test_the_user_of_a_token_is_the_actor(recorded, user):
    assert api(user).post("/api/", {"number": "1"}, content_type="application/json").status_code == 200
    event = recorded.one("invoice.created")
    assert (event.actor_id, event.actor_name) == (str(user.pk), "jane")


def test_a_refused_token_and_a_missing_permission_are_denied(recorded, user):
    assert api(user, "wrong").post("/api/", {}).status_code == 401
    assert api(user).get("/api/staff/").status_code == 403
    first, second = recorded.events
    assert {event.action for event in recorded.events} == {"access.denied"}
    assert (first.metadata["status"], first.metadata["reason"], first.outcome.name) == (
        "401",
        "authentication_failed",
        "denied",
    )
    assert (second.metadata["status"], second.resource_id, second.actor_name) == ("403", "api/staff/", "jane")


def test_other_errors_are_not_denials(recorded, user):
    assert api(user).get("/api/").status_code == 405
    assert recorded.actions() == []


@pytest.fixture
def with_axes(recorded):
    from django.test import override_settings
    from django_shop import settings

    backends = ["axes.backends.AxesStandaloneBackend", *settings.AUTHENTICATION_BACKENDS]
    with override_settings(AUTHENTICATION_BACKENDS=backends):
        yield


def test_axes_locks_once_and_refuses(with_axes, client_of, recorded, user):
    browser = client_of(None)
    for _ in range(5):
        browser.post("/accounts/login/", {"username": "jane", "password": "wrong"})
    assert recorded.actions().count("user.locked") == 1
    assert recorded.one("user.locked").metadata == {"reason": "attempts", "login": "j***", "attempts": "3"}
    failed = [event for event in recorded.events if event.action == "user.login_failed"]
    assert [event.metadata["reason"] for event in failed] == ["bad_credentials"] * 3 + ["locked"] * 2
    assert [event.outcome.name for event in failed] == ["failure"] * 3 + ["denied"] * 2


def test_a_signup_and_login_of_allauth_are_one_event_each(client_of, recorded):
    browser = client_of(None)
    form = {"email": "jo@acme.example", "username": "jo", "password1": "x-Secret-123", "password2": "x-Secret-123"}
    assert browser.post("/allauth/signup/", form).status_code == 302
    assert recorded.actions().count("user.created") == 1
    assert recorded.one("user.created").metadata["via"] == "signup"
    assert recorded.actions().count("user.login") == 1
    recorded.clear()
    browser.post("/allauth/logout/")
    assert recorded.actions() == ["user.logout"]
    recorded.clear()
    browser.post("/allauth/login/", {"login": "jo", "password": "x-Secret-123"})
    assert recorded.one("user.login").metadata["method"] == "password"
    new = {"oldpassword": "x-Secret-123", "password1": "y-Secret-123", "password2": "y-Secret-123"}
    browser.post("/allauth/password/change/", new)
    assert recorded.actions().count("user.password_changed") == 1


def test_allauths_signals_become_events(recorded, user):
    from allauth.account import signals as account
    from allauth.account.models import EmailAddress
    from allauth.mfa import signals as mfa
    from allauth.mfa.models import Authenticator
    from allauth.socialaccount import signals as social
    from allauth.socialaccount.models import SocialAccount
    from django.test import RequestFactory

    request = RequestFactory().get("/", headers={"host": "acme.example"})
    address = EmailAddress(user=user, email="jane@acme.example")
    factor = Authenticator(user=user, type="totp")
    identity = SocialAccount(user=user, provider="google")
    account.email_confirmed.send(EmailAddress, request=request, email_address=address)
    account.email_added.send(EmailAddress, request=request, user=user, email_address=address)
    account.login_code_rejected.send(None, request=request, user=user, last_attempt=True)
    mfa.authenticator_added.send(Authenticator, request=request, user=user, authenticator=factor)
    mfa.authenticator_removed.send(Authenticator, request=request, user=user, authenticator=factor)
    mfa.authentication_failed.send(Authenticator, request=request, user=user, authenticator=factor)
    social.social_account_removed.send(SocialAccount, request=request, socialaccount=identity)
    assert recorded.unmade == []
    assert recorded.actions() == [
        "user.email_verified",
        "user.updated",
        "user.login_failed",
        "user.mfa_enrolled",
        "user.mfa_removed",
        "user.login_failed",
        "user.identity_unlinked",
    ]
    assert {event.resource_id for event in recorded.events} == {str(user.pk)}
    assert recorded.one("user.mfa_removed").metadata["factor"] == "totp"
    assert recorded.one("user.identity_unlinked").metadata["provider"] == "google"
