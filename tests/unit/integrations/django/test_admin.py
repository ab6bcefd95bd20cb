"""Tests that an edit in the admin results in one event with the changes. A model that is audited anyway does not get a
second event.
"""

from __future__ import annotations

import json

import pytest


def states(event):
    return json.loads(event.before or "null"), json.loads(event.after or "null")


INLINES = {
    "comment_set-TOTAL_FORMS": "0",
    "comment_set-INITIAL_FORMS": "0",
    "comment_set-MIN_NUM_FORMS": "0",
    "comment_set-MAX_NUM_FORMS": "1000",
}


@pytest.fixture
def article(recorded):
    from django_shop.models import Article

    return Article.objects.create(title="Old", access_token="t-1")


def edit(staff, article, **fields):
    form = {"title": article.title, "access_token": article.access_token, "body": article.body} | INLINES | fields
    answer = staff.post(f"/admin/django_shop/article/{article.pk}/change/", form)
    assert answer.status_code == 302, answer.content.decode()[-3000:]


def test_an_edit_has_the_values_before_and_after(staff, recorded, article):
    edit(staff, article, title="New", access_token="t-2")
    event = recorded.one("admin.article.updated")
    assert states(event) == (
        {"title": "Old", "access_token": "[masked]"},
        {"title": "New", "access_token": "[masked, changed]"},
    )
    assert (event.actor_name, event.tenant_id, event.resource, event.resource_id) == (
        "root",
        "acme",
        "article",
        str(article.pk),
    )
    assert event.metadata == {"model": "django_shop.Article", "via": "admin"}


def test_an_edit_that_changes_nothing_is_not_an_event(staff, recorded, article):
    edit(staff, article)
    assert recorded.actions() == []


def test_an_addition_and_a_deletion(staff, recorded):
    from django_shop.models import Article

    staff.post("/admin/django_shop/article/add/", {"title": "A"} | INLINES)
    made = Article.objects.get()
    staff.post(f"/admin/django_shop/article/{made.pk}/delete/", {"post": "yes"})
    added, deleted = recorded.events
    assert (added.action, deleted.action) == ("admin.article.created", "admin.article.deleted")
    assert states(added)[1]["title"] == states(deleted)[0]["title"] == "A"
    assert added.resource_id == deleted.resource_id == str(made.pk)


def test_related_objects_on_the_same_page(staff, recorded, article):
    from django_shop.models import Comment

    kept, gone = Comment.objects.create(article=article, text="a"), Comment.objects.create(article=article, text="b")
    formset = {"comment_set-TOTAL_FORMS": "3", "comment_set-INITIAL_FORMS": "2"}
    for number, (key, text) in enumerate([(kept.pk, "c"), (gone.pk, "b"), ("", "d")]):
        formset |= {f"comment_set-{number}-id": str(key), f"comment_set-{number}-text": text}
        formset |= {f"comment_set-{number}-article": str(article.pk)}
    edit(staff, article, **formset, **{"comment_set-1-DELETE": "on"})
    assert sorted(recorded.actions()) == ["admin.comment.created", "admin.comment.deleted", "admin.comment.updated"]
    assert states(recorded.one("admin.comment.updated")) == ({"text": "a"}, {"text": "c"})


def test_edits_in_the_list(staff, recorded, article):
    form = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": str(article.pk), "form-0-title": "New"}
    assert staff.post("/admin/django_shop/article/", form | {"_save": "Save"}).status_code == 302
    assert states(recorded.one("admin.article.updated")) == ({"title": "Old"}, {"title": "New"})


def test_each_of_several_deletions_is_an_event(staff, recorded, article):
    from django_shop.models import Article

    other = Article.objects.create(title="Other")
    form = {"action": "delete_selected", "_selected_action": [article.pk, other.pk], "post": "yes"}
    assert staff.post("/admin/django_shop/article/", form).status_code == 302
    assert recorded.actions() == ["admin.article.deleted"] * 2
    assert {event.resource_id for event in recorded.events} == {str(article.pk), str(other.pk)}
    assert {event.metadata["selected"] for event in recorded.events} == {"2"}


def test_a_failed_deletion_is_not_an_event(staff, recorded, article, monkeypatch):
    from django.contrib.admin.options import ModelAdmin

    def fail(*_):
        raise RuntimeError("the database is away")

    monkeypatch.setattr(ModelAdmin, "delete_queryset", fail)
    form = {"action": "delete_selected", "_selected_action": [article.pk], "post": "yes"}
    with pytest.raises(RuntimeError):
        staff.post("/admin/django_shop/article/", form)
    assert recorded.actions() == []


def test_a_deletion_is_recorded_when_the_written_database_commits(staff, recorded, article):
    from django.db import transaction
    from django.test import override_settings

    class Replicas:
        def db_for_read(self, model, **_):
            return "replica"

        def db_for_write(self, model, **_):
            return "default"

    from auditlane.integrations.django.admin_edits import _after_deletions

    article._state.db = "replica"
    with override_settings(DATABASE_ROUTERS=[Replicas()]), transaction.atomic():
        _after_deletions(None, None, [article])
        assert recorded.actions() == []
    assert recorded.actions() == ["admin.article.deleted"]


def test_a_model_with_events_of_its_own_has_one_event(staff, recorded):
    from django_shop.models import Invoice, Item

    item = Item.objects.create(name="a")
    invoice = Invoice.objects.create(number="1")
    recorded.clear()
    staff.post(f"/admin/django_shop/item/{item.pk}/change/", {"name": "b"})
    event = recorded.one("item.updated")
    assert recorded.actions() == ["item.updated"]
    assert event.metadata["via"] == "admin"
    form = {"action": "delete_selected", "_selected_action": [invoice.pk], "post": "yes"}
    staff.post("/admin/django_shop/invoice/", form)
    assert recorded.actions() == ["item.updated", "invoice.deleted"]


def test_groups_of_a_user_in_the_admin(staff, recorded, user):
    from django.contrib.auth.models import Group

    group = Group.objects.create(name="ops")
    recorded.clear()
    when = user.date_joined.replace(microsecond=0)  # the form has no microseconds
    form = {
        "username": "jane",
        "email": user.email,
        "is_active": "on",
        "groups": [group.pk],
        "date_joined_0": f"{when:%Y-%m-%d}",
        "date_joined_1": f"{when:%H:%M:%S}",
    }
    type(user).objects.filter(pk=user.pk).update(date_joined=when)
    assert staff.post(f"/admin/auth/user/{user.pk}/change/", form).status_code == 302
    event = recorded.one("group.member_added")
    assert recorded.actions() == ["group.member_added"]
    assert (event.resource_id, event.metadata["user"], event.actor_name) == (str(group.pk), str(user.pk), "root")
