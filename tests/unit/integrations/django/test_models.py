"""Tests that changes to audited models become events once they are committed, and never if they are rolled back."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fixtures.workers import wait_until

from auditlane.runtime.errors import ConfigError, InvalidInput
from auditlane.sdk import audit, set_default_client


def states(event):
    return json.loads(event.before or "null"), json.loads(event.after or "null")


@pytest.fixture
def invoice(recorded):
    from django_shop.models import Invoice

    made = Invoice.objects.create(number="1", total=Decimal("10.50"), internal="x", api_key="k-1")
    recorded.clear()
    return made


def test_creating_updating_and_deleting_become_events(recorded):
    from django_shop.models import Invoice

    invoice = Invoice.objects.create(number="1", api_key="k-secret", internal="x")
    invoice.total, invoice.paid, invoice.api_key = "2.50", True, "k-other"
    invoice.due = datetime(2026, 1, 2, tzinfo=UTC)
    invoice.save()
    key = str(invoice.pk)
    invoice.delete()
    assert recorded.actions() == ["invoice.created", "invoice.updated", "invoice.deleted"]
    created, updated, deleted = recorded.events
    assert {event.resource_id for event in recorded.events} == {key}
    assert states(created)[1]["number"] == "1"
    assert "internal" not in states(created)[1]
    assert states(updated) == (
        {"total": "0.00", "paid": False, "due": None, "api_key": "[masked]"},
        {"total": "2.50", "paid": True, "due": "2026-01-02T00:00:00+00:00", "api_key": "[masked, changed]"},
    )
    assert "k-" not in str(created.after) + str(updated.before) + str(deleted.before)
    assert created.metadata["model"] == "django_shop.Invoice"


def test_a_save_without_a_change_is_not_an_event(recorded, invoice):
    invoice.save()
    invoice.internal = "y"  # excluded
    invoice.save()
    invoice.total = "10.5"  # the same number
    invoice.save()
    assert recorded.actions() == []


def test_only_saved_fields_are_changes(recorded, invoice):
    invoice.number, invoice.paid = "2", True
    invoice.save(update_fields=["paid"])
    assert states(recorded.one("invoice.updated")) == ({"paid": False}, {"paid": True})


def test_an_expression_is_named(recorded, invoice):
    from django.db.models import F

    invoice.total = F("total") + 1
    invoice.save()
    assert "total" in states(recorded.one("invoice.updated"))[1]


def test_fixtures_are_not_changes(recorded, tmp_path):
    from django.core.management import call_command

    row = {"model": "django_shop.item", "pk": 9, "fields": {"name": "from a fixture"}}
    (tmp_path / "items.json").write_text(json.dumps([row]))
    call_command("loaddata", str(tmp_path / "items.json"), verbosity=0)
    assert recorded.actions() == []


def test_links_to_other_objects(recorded, invoice):
    from django_shop.models import Tag

    tag, other = Tag.objects.create(name="a"), Tag.objects.create(name="b")
    invoice.tags.set([tag])
    invoice.tags.set([other])
    invoice.tags.clear()
    assert [states(event) for event in recorded.events] == [
        (None, {"tags": [tag.pk]}),
        ({"tags": [tag.pk]}, None),
        (None, {"tags": [other.pk]}),
        ({"tags": [other.pk]}, None),
    ]


def test_links_from_the_other_side_and_to_groups(recorded, invoice):
    from django.contrib.auth.models import Group
    from django_shop.models import Tag

    tag, group = Tag.objects.create(name="a"), Group.objects.create(name="ops")
    recorded.clear()
    tag.invoice_set.add(invoice)
    tag.invoice_set.remove(invoice)
    invoice.readers.add(group)
    group.invoice_set.clear()
    assert [(event.action, event.resource_id, *states(event)) for event in recorded.events] == [
        ("invoice.updated", str(invoice.pk), None, {"tags": [tag.pk]}),
        ("invoice.updated", str(invoice.pk), {"tags": [tag.pk]}, None),
        ("invoice.updated", str(invoice.pk), None, {"readers": [group.pk]}),
        ("invoice.updated", str(invoice.pk), {"readers": [group.pk]}, None),
    ]


def test_removing_an_object_that_is_not_linked_is_not_an_event(recorded, invoice):
    from django_shop.models import Tag

    tag, other = Tag.objects.create(name="a"), Tag.objects.create(name="b")
    invoice.tags.add(tag)
    recorded.clear()
    invoice.tags.remove(other)
    assert recorded.actions() == []
    invoice.tags.remove(tag, other)
    assert states(recorded.one("invoice.updated")) == ({"tags": [tag.pk]}, None)


@pytest.mark.parametrize("name", ["Reminder", "Debt"])
def test_children_and_proxies_are_audited_as_their_model(recorded, name):
    import django_shop.models

    model = getattr(django_shop.models, name)
    created = model.objects.create(number="1", internal="x")
    created.number = "2"
    created.save()
    created.tags.add(django_shop.models.Tag.objects.create(name="a"))
    key = str(created.pk)
    model.objects.all().delete()
    assert recorded.actions() == ["invoice.created", "invoice.updated", "invoice.updated", "invoice.deleted"]
    assert {event.resource_id for event in recorded.events} == {key}
    assert states(recorded.events[1]) == ({"number": "1"}, {"number": "2"})
    assert "internal" not in str(recorded.events[0].after)
    assert recorded.events[0].metadata["model"] == f"django_shop.{name}"


@pytest.mark.parametrize("how", ["object", "queryset"])
def test_an_audited_child_has_its_own_events_only(recorded, how):
    from django_shop.models import Credit

    credit = Credit.objects.create(number="1")
    credit.number = "2"
    credit.save()
    if how == "object":
        credit.delete()
    else:
        Credit.objects.all().delete()
    assert recorded.actions() == ["credit.created", "credit.updated", "credit.deleted"]


def test_changes_in_a_streamed_response_have_its_user(client_of, recorded, user):
    assert client_of(user).get("/stream/").getvalue() == b"number\nstreamed"
    event = recorded.one("invoice.created")
    assert (event.actor_id, event.tenant_id) == (str(user.pk), "acme")


def test_changes_in_an_asynchronous_stream_have_its_user(recorded, user):
    from django.test import AsyncClient

    async def go():
        browser = AsyncClient()
        await browser.aforce_login(user)
        response = await browser.get("/stream-async/")
        return [part async for part in response.streaming_content]

    assert asyncio.run(go()) == [b"number\n", b"streamed"]
    assert recorded.one("invoice.created").actor_id == str(user.pk)


def test_a_model_named_in_the_settings_has_its_options(recorded):
    from django_shop.models import Item

    item = Item.objects.create(name="a", supplier="s", note="n")
    item.supplier = "t"
    item.save()
    assert states(recorded.one("item.created"))[1] == {"id": item.pk, "name": "a", "supplier": "[masked]"}
    assert states(recorded.one("item.updated")) == ({"supplier": "[masked]"}, {"supplier": "[masked, changed]"})


@pytest.mark.parametrize(
    ("then", "events"), [("", 2), ("rollback", 0), ("raise", 0), ("savepoint", 1)], ids=lambda one: str(one) or "commit"
)
def test_only_committed_changes_are_events(client_of, recorded, user, then, events):
    from django_shop.models import Invoice

    client_of(user, raise_request_exception=False).get(f"/create/7/?then={then}")
    assert len(recorded.events) == events == Invoice.objects.count()
    assert recorded.unmade == []


def test_a_broken_transaction_is_not_an_event(recorded, invoice):
    from django.db import IntegrityError, transaction
    from django_shop.models import Invoice

    with pytest.raises(IntegrityError), transaction.atomic():
        invoice.paid = True
        invoice.save()
        Invoice(pk=invoice.pk, number="x").save(force_insert=True)
    assert recorded.actions() == []


def test_a_cyclic_or_huge_value_is_bounded(recorded, invoice):
    invoice.lines = {"text": "x" * 1_000_000, "rows": list(range(100_000))}
    invoice.save()
    event = recorded.one("invoice.updated")
    assert len(event.after) < 100_000


def test_without_djangos_transactions_nothing_is_recorded_and_the_loss_is_counted(recorded, invoice):
    from django.db import transaction

    transaction.set_autocommit(False)
    try:
        invoice.paid = True
        invoice.save()
        transaction.commit()
    finally:
        transaction.set_autocommit(True)
    assert recorded.actions() == []
    assert len(recorded.unmade) == 1


def test_without_client_settings_the_application_works_and_one_error_is_logged(client_of, recorded, user, caplog):
    from django.conf import settings
    from django.test import override_settings
    from django_shop.models import Invoice

    set_default_client(None)  # otherwise, the client would be created from the environment, which is empty
    browser = client_of(user)
    with override_settings(AUDITLANE=settings.AUDITLANE | {"CLIENT": lambda: audit}):
        assert browser.get("/create/7/").status_code == 200
        assert browser.get("/create/8/").status_code == 200
    assert Invoice.objects.count() == 4
    wait_until(lambda: [one for one in caplog.messages if "No audit events are recorded" in one])
    assert len([one for one in caplog.records if one.levelname == "ERROR"]) == 1


def test_bulk_changes_are_one_event(recorded, invoice):
    from django_shop.models import Invoice

    from auditlane.integrations.django import bulk

    Invoice.objects.create(number="2", total=500)
    recorded.clear()
    some = Invoice.objects.filter(paid=False, total__gt=100, api_key="k").exclude(number="9")
    bulk(Invoice.objects.filter(total__gt=100), "invoice.archived")
    bulk(some, "invoice.archived", count=some.update(paid=True), metadata={"why": "old"})
    bulk(Invoice.objects.bulk_create([Invoice(number="3"), Invoice(number="4")]), "invoice.created")
    bulk([], "invoice.created")
    first, second, third = recorded.events
    assert first.metadata == {"model": "django_shop.Invoice", "filter": "total gt 100", "count": "1"}
    assert (
        second.metadata["filter"]
        == "(api_key exact [masked] AND paid exact False AND total gt 100 AND NOT number exact 9)"
    )
    assert (second.metadata["why"], third.metadata["count"], third.resource) == ("old", "2", "invoice")
    with pytest.raises(InvalidInput, match="not a model"):
        bulk([1], "invoice.created")  # type: ignore[list-item]


def test_a_bulk_filter_masks_the_same_fields_as_the_models_events(recorded, invoice):
    from django.db.models.functions import Lower
    from django_shop.models import Invoice, Item

    from auditlane.integrations.django.bulk import described

    hidden = [
        Invoice.objects.filter(lines__api_key="k-1"),
        Invoice.objects.filter(lines__customer__password__startswith="k-1"),
        Invoice.objects.annotate(lower=Lower("api_key")).filter(lower="k-1"),
        Invoice.objects.filter(internal="k-1"),
        Item.objects.filter(supplier="k-1"),
    ]
    shown = [described(queryset) for queryset in hidden]
    assert "k-1" not in str(shown)
    assert shown[-1] == "supplier exact [masked]"
    assert "72" in described(Invoice.objects.filter(lines__count=72))


def test_a_rolled_back_bulk_change_is_not_an_event(recorded, invoice):
    from django.db import transaction
    from django_shop.models import Invoice

    from auditlane.integrations.django import bulk

    with transaction.atomic():
        bulk(Invoice.objects.all(), "invoice.archived")
        transaction.set_rollback(True)
    assert recorded.actions() == []


def test_an_asynchronous_request_has_its_user(recorded, user):
    from django.conf import settings
    from django.test import AsyncClient, override_settings

    async def go():
        browser = AsyncClient()
        await browser.aforce_login(user)
        recorded.clear()
        return await browser.get("/create-async/8/", headers={"x-tenant": "acme"})

    with override_settings(AUDITLANE={**settings.AUDITLANE, "TENANT": lambda request: request.headers.get("x-tenant")}):
        assert asyncio.run(go()).status_code == 200
    event = recorded.one("invoice.created")
    assert (event.actor_id, event.tenant_id) == (str(user.pk), "acme")


def test_a_wrong_declaration_is_refused():
    from django_shop.models import Tag

    from auditlane.integrations.django import audited_model
    from auditlane.integrations.django.options import read

    class Abstract(Tag):
        class Meta:
            abstract = True
            app_label = "django_shop"

    with pytest.raises(ConfigError, match="abstract"):
        audited_model(Abstract)
    for key, value, message in [
        ("TENNANT", "x", "not a known key"),
        ("TRUSTED_PROXIES", "300.1.1.1", "trusted_proxies"),
        ("MASK", "password", "list of names"),
        ("MODELS", {"a.B": {"only": []}}, "unknown option"),
        ("PLAIN_LOGINS", "yes", "True or False"),
    ]:
        with pytest.raises(ConfigError, match=message):
            read({key: value})
    with pytest.raises(ConfigError, match="must be a dict"):
        read([])
