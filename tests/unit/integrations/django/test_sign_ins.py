"""Tests that logins, failed logins and logouts become events with the user, the address and the tenant."""

from __future__ import annotations

from typing import Any

import pytest

HOST = {"host": "acme.example"}


@pytest.fixture
def browser(user: Any) -> Any:
    from django.test import Client

    return Client(headers=HOST, REMOTE_ADDR="203.0.113.7")


def log_in(browser: Any, password: str = "first-Secret-1", **headers: str) -> Any:
    return browser.post("/accounts/login/", {"username": "jane", "password": password}, headers=HOST | headers)


def test_a_login_has_its_user_address_and_tenant(browser, recorded, user):
    assert log_in(browser, **{"user-agent": "Mozilla", "x-request-id": "r-1"}).status_code == 302
    event = recorded.one("user.login")
    assert (event.actor_id, event.actor_name, event.actor_type) == (str(user.pk), "jane", "user")
    assert (event.resource, event.resource_id, event.outcome.name) == ("user", str(user.pk), "success")
    assert (event.tenant_id, str(event.ip), event.user_agent, event.request_id) == (
        "acme",
        "203.0.113.7",
        "Mozilla",
        "r-1",
    )
    assert event.metadata["method"] == "password"
    assert recorded.actions() == ["user.login"]  # updating `last_login` does not count as a change to the user


def test_a_failed_login_has_a_masked_name_and_no_actor(browser, recorded):
    log_in(browser, "wrong")
    event = recorded.one("user.login_failed")
    assert (event.outcome.name, event.severity.name, event.actor_id, event.actor_type) == (
        "failure",
        "Medium",
        "",
        "anonymous",
    )
    assert event.metadata == {"reason": "bad_credentials", "login": "j***"}


def test_a_failed_login_without_a_request_is_recorded(recorded, user):
    from django.contrib.auth import authenticate

    assert authenticate(username="jane", password="wrong") is None
    event = recorded.one("user.login_failed")
    assert (event.tenant_id, event.actor_type) == ("unassigned", "system")


def test_names_are_plain_if_the_setting_says_so(browser, recorded):
    from django.conf import settings
    from django.test import override_settings

    with override_settings(AUDITLANE={**settings.AUDITLANE, "PLAIN_LOGINS": True}):
        log_in(browser, "wrong")
    assert recorded.one("user.login_failed").metadata["login"] == "jane"


def test_a_logout_names_its_user(browser, recorded, user):
    log_in(browser)
    browser.post("/accounts/logout/")
    event = recorded.one("user.logout")
    assert (event.actor_id, event.actor_name, event.tenant_id) == (str(user.pk), "jane", "acme")


def test_a_logout_without_a_user_is_not_an_event(browser, recorded):
    browser.post("/accounts/logout/")
    assert recorded.actions() == []


def test_a_forged_entry_behind_two_proxies_is_not_the_address(browser, recorded):
    forwarded = {"x-forwarded-for": "6.6.6.6, 198.51.100.4, 10.0.0.9"}
    browser.post(
        "/accounts/login/",
        {"username": "jane", "password": "wrong"},
        headers=HOST | forwarded,
        REMOTE_ADDR="127.0.0.1",
    )
    assert str(recorded.one("user.login_failed").ip) == "198.51.100.4"


def test_an_untrusted_peer_is_the_address_whatever_it_forwards(browser, recorded):
    log_in(browser, "wrong", **{"x-forwarded-for": "6.6.6.6"})
    assert str(recorded.one("user.login_failed").ip) == "203.0.113.7"


@pytest.mark.parametrize(("host", "errors"), [("testserver", 0), ("broken.example", 1)])
def test_without_a_tenant_the_event_is_unassigned(browser, recorded, host, errors):
    log_in(browser, host=host)
    event = recorded.one("user.login")
    assert (event.tenant_id, event.actor_name, str(event.ip)) == ("unassigned", "jane", "203.0.113.7")
    assert len(recorded.errors) == errors


def test_a_client_that_fails_does_not_fail_the_request(browser, recorded, monkeypatch):
    def broken(**_: Any) -> None:
        raise RuntimeError("no client")

    monkeypatch.setattr(recorded, "record", broken)
    assert log_in(browser).status_code == 302
    assert [str(error) for error in recorded.unmade] == ["no client"]


def test_a_password_mail_sent_directly_does_not_fail(recorded, user):
    from django.contrib.auth.forms import PasswordResetForm

    PasswordResetForm().send_mail(
        subject_template_name="registration/password_reset_subject.txt",
        email_template_name="registration/password_reset_subject.txt",
        context={"user": user, "site_name": "shop"},
        from_email=None,
        to_email="jane@acme.example",
    )
    assert recorded.one("user.password_reset_requested").resource_id == str(user.pk)


def test_a_request_for_a_new_password_is_an_event(browser, recorded, user):
    browser.post("/accounts/password_reset/", {"email": "jane@acme.example"})
    event = recorded.one("user.password_reset_requested")
    assert (event.resource_id, event.actor_type, event.metadata) == (str(user.pk), "anonymous", {"by": "self"})
    browser.post("/accounts/password_reset/", {"email": "nobody@acme.example"})
    assert len(recorded.events) == 1
