"""Tests that changes to users, and to their passwords, roles, groups and permissions, become events, whatever code
makes them.
"""

from __future__ import annotations

import json

import pytest


def states(event):
    return json.loads(event.before or "null"), json.loads(event.after or "null")


def test_a_user_created_in_the_admin(staff, recorded):
    staff.post(
        "/admin/auth/user/add/",
        {"username": "jo", "usable_password": "true", "password1": "x-Secret-123", "password2": "x-Secret-123"},
    )
    event = recorded.one("user.created")
    assert recorded.actions() == ["user.created"]  # neither the admin nor the password causes a second event
    assert (event.actor_id, event.tenant_id, event.metadata["via"]) == (str(staff.root.pk), "acme", "admin")
    assert "x-Secret-123" not in event.after
    assert "password" not in event.after
    assert json.loads(event.after)["username"] == "jo"


def test_a_superuser_of_a_command_has_both_roles(recorded):
    from django.contrib.auth.models import User

    User.objects.create_superuser("root", "root@acme.example", "root-Secret-1")
    assert recorded.actions() == ["user.created", "role.assigned", "role.assigned"]
    assert [event.metadata.get("role") for event in recorded.events[1:]] == ["staff", "superuser"]
    assert {event.actor_type for event in recorded.events} == {"system"}
    assert recorded.events[0].metadata["via"] == "import"


def test_an_edit_in_the_admin_is_one_event_per_fact(staff, recorded, user):
    form = {
        "username": "jane",
        "first_name": "Jane",
        "email": "new@acme.example",
        "is_staff": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }
    user.date_joined = user.date_joined.replace(2026, 1, 1, 0, 0, 0, 0)
    user.save()
    recorded.clear()
    answer = staff.post(f"/admin/auth/user/{user.pk}/change/", form)
    assert answer.status_code == 302, answer.context["adminform"].errors
    assert sorted(recorded.actions()) == ["role.assigned", "user.disabled", "user.email_changed", "user.updated"]
    assert states(recorded.one("user.updated")) == ({"first_name": ""}, {"first_name": "Jane"})
    assert recorded.one("user.updated").metadata == {"changed_fields": "first_name", "via": "admin"}
    assert states(recorded.one("user.email_changed"))[1] == {"email": "n***@acme.example"}
    assert recorded.one("role.assigned").metadata == {"role": "staff"}
    assert {event.actor_name for event in recorded.events} == {"root"}


def test_a_password_that_its_user_changes(client_of, recorded, user):
    browser = client_of(user)
    new = {"old_password": "first-Secret-1", "new_password1": "second-Secret-2", "new_password2": "second-Secret-2"}
    assert browser.post("/accounts/password_change/", new).status_code == 302
    event = recorded.one("user.password_changed")
    assert (event.actor_id, event.resource_id) == (str(user.pk), str(user.pk))
    assert recorded.actions() == ["user.password_changed"]


def test_a_password_that_is_reset_by_mail(client_of, recorded, user):
    from django.contrib.auth.tokens import default_token_generator
    from django.utils.encoding import force_bytes
    from django.utils.http import urlsafe_base64_encode

    token = default_token_generator.make_token(user)
    link = f"/accounts/reset/{urlsafe_base64_encode(force_bytes(user.pk))}/{token}/"
    browser = client_of(None)
    form = browser.get(link, follow=True)
    browser.post(form.request["PATH_INFO"], {"new_password1": "third-Secret-3", "new_password2": "third-Secret-3"})
    event = recorded.one("user.password_reset")
    assert (event.metadata, event.actor_type, event.resource_id) == ({"by": "self"}, "anonymous", str(user.pk))


def test_a_password_that_an_administrator_sets(staff, recorded, user):
    new = {"usable_password": "true", "password1": "third-Secret-3", "password2": "third-Secret-3"}
    assert staff.post(f"/admin/auth/user/{user.pk}/password/", new).status_code == 302
    assert recorded.one("user.password_reset").metadata == {"by": "admin"}
    assert recorded.actions() == ["user.password_reset"]


def test_an_upgraded_hash_is_not_a_changed_password(client_of, recorded, user):
    from django.contrib.auth.hashers import make_password

    type(user).objects.filter(pk=user.pk).update(password=make_password("first-Secret-1", hasher="pbkdf2_sha256"))
    client_of(None).post("/accounts/login/", {"username": "jane", "password": "first-Secret-1"})
    user.refresh_from_db()
    assert user.password.startswith("md5$")
    assert recorded.actions() == ["user.login"]


def test_a_hash_that_is_set_without_a_password_is_a_reset(recorded, user):
    from django.contrib.auth.hashers import make_password

    user.password = make_password("other-Secret-1")
    user.save()
    assert recorded.one("user.password_reset").metadata == {"by": "system"}
    user.save()
    assert recorded.actions() == ["user.password_reset"]


@pytest.mark.parametrize("fields", [None, ["password"]])
def test_a_password_that_is_disabled(recorded, user, fields):
    user.set_unusable_password()
    user.save(update_fields=fields)
    event = recorded.one("user.password_reset")
    assert event.metadata == {"by": "system", "usable": "false"}
    assert user.password not in event.model_dump_json()


def test_an_address_that_was_empty(recorded, user):
    user.email = ""
    user.save()
    user.email = "jane@acme.example"
    user.save()
    assert [states(event) for event in recorded.events] == [
        ({"email": "j***@acme.example"}, {"email": ""}),
        ({"email": ""}, {"email": "j***@acme.example"}),
    ]


def test_a_user_who_deletes_their_own_account_is_the_actor(client_of, recorded, user):
    key = str(user.pk)
    assert client_of(user).post("/leave/").content == b"gone"
    event = recorded.one("user.deleted")
    assert (event.actor_id, event.resource_id, event.tenant_id, event.metadata["via"]) == (key, key, "acme", "self")
    assert states(event)[0]["email"] == "j***@acme.example"


def test_each_of_several_users_deleted_in_the_admin_is_an_event(staff, recorded, user):
    other = type(user).objects.create_user("jo")
    recorded.clear()
    form = {"action": "delete_selected", "_selected_action": [user.pk, other.pk], "post": "yes"}
    assert staff.post("/admin/auth/user/", form).status_code == 302
    assert recorded.actions() == ["user.deleted", "user.deleted"]
    assert {event.resource_id for event in recorded.events} == {str(user.pk), str(other.pk)}


@pytest.mark.parametrize("way", ["set", "add", "remove", "clear", "reverse add", "reverse clear"])
def test_changes_to_a_groups_members_become_events(recorded, user, way):
    from django.contrib.auth.models import Group

    staff_, ops = Group.objects.create(name="staff"), Group.objects.create(name="ops")
    if way in ("set", "remove", "clear", "reverse clear"):
        user.groups.add(staff_)
    recorded.clear()
    if way == "set":
        user.groups.set([ops])
    elif way == "add":
        user.groups.add(ops, staff_)
    elif way == "remove":
        user.groups.remove(staff_, ops)
    elif way == "clear":
        user.groups.clear()
    elif way == "reverse add":
        ops.user_set.add(user)
    else:
        staff_.user_set.clear()
    found = {(event.action, event.metadata["name"]) for event in recorded.events}
    added, removed = "group.member_added", "group.member_removed"
    assert (
        found
        == {
            "set": {(removed, "staff"), (added, "ops")},
            "add": {(added, "staff"), (added, "ops")},
            "remove": {(removed, "staff")},  # the user is not in the other group
            "clear": {(removed, "staff")},
            "reverse add": {(added, "ops")},
            "reverse clear": {(removed, "staff")},
        }[way]
    )
    assert {event.metadata["user"] for event in recorded.events} == {str(user.pk)}


def test_permissions_of_users_and_groups(recorded, user):
    from django.contrib.auth.models import Group, Permission

    permission = Permission.objects.get(codename="add_invoice")
    group = Group.objects.create(name="ops")
    recorded.clear()
    user.user_permissions.add(permission)
    permission.user_set.clear()
    group.permissions.set([permission])
    group.permissions.clear()
    assert [(event.action, event.resource, event.resource_id) for event in recorded.events] == [
        ("permission.granted", "user", str(user.pk)),
        ("permission.revoked", "user", str(user.pk)),
        ("permission.granted", "group", str(group.pk)),
        ("permission.revoked", "group", str(group.pk)),
    ]
    assert {event.metadata["permission"] for event in recorded.events} == {"django_shop.add_invoice"}


def test_changes_to_a_group_itself_become_events(recorded):
    from django.contrib.auth.models import Group

    group = Group.objects.create(name="ops")
    group.name = "operators"
    group.save()
    group.save()  # nothing has changed
    group.delete()
    assert recorded.actions() == ["group.created", "group.updated", "group.deleted"]
    assert states(recorded.one("group.updated")) == ({"name": "ops"}, {"name": "operators"})


def test_a_user_without_an_id_acts(recorded, user):
    from django.contrib.auth.models import User
    from django.test import RequestFactory

    from auditlane.integrations.django.request_context import RequestContext

    request = RequestFactory().get("/")
    request.user = User(username="new")
    with RequestContext(request):
        user.first_name = "J"
        user.save()
    event = recorded.one("user.updated")
    assert (event.actor_id, event.actor_type, event.actor_name) == ("", "user", "new")
