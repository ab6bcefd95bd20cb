"""Tests that a scope stores only its differences. Overlays, replacements, removals and their history are pure
functions.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.query.structure import views
from auditlane.query.structure.views import ScopeState
from auditlane.runtime.errors import FieldConflict, InvalidInput, NotFound
from auditlane.store.presentation import DEFAULT_FIELDS, ENVIRONMENT, FieldView, Revision, overlay, tenant_scope

ENV, ACME = Revision(scope=ENVIRONMENT), Revision(scope=tenant_scope("acme"))
ORDER = FieldView(name="order_number", display_name="Order", order=30)


def tenant(*own: FieldView, env: tuple[FieldView, ...] = ()) -> ScopeState:
    return ScopeState(ENV.model_copy(update={"fields": env}), ACME.model_copy(update={"fields": own}))


def names(shown: ScopeState) -> list[str]:
    return [one.name for one in shown.fields.values() if not one.hidden]


def test_a_view_that_equals_the_inherited_one_is_not_stored() -> None:
    shown = tenant()
    assert views.replaced(shown, [(one.name, {}) for one in DEFAULT_FIELDS]) == ()
    kept = views.replaced(shown, [("action", {"display_name": "Deed"}), ("ip", {"show_in_table": True})])
    assert [one.name for one in kept] == ["action"]
    assert kept[0].sortable == next(one for one in DEFAULT_FIELDS if one.name == "action").sortable


def test_a_field_that_the_tenant_did_not_change_follows_the_environment() -> None:
    kept = views.replaced(tenant(), [("ip", {"show_in_table": False})])
    later = FieldView(name="action", display_name="What happened")
    assert tenant(*kept, env=(later,)).fields["action"].display_name == "What happened"


def test_an_omitted_inherited_field_is_inherited_again_and_an_own_one_stays() -> None:
    shown = tenant(FieldView(name="action", display_name="Deed"), ORDER)
    assert views.replaced(shown, []) == (ORDER,)


@pytest.mark.parametrize(
    ("replacement", "field"),
    [
        ([("nothing", {})], "fields.0.name"),
        ([("ip", {}), ("ip", {})], "fields.1.name"),
        ([("gone", {})], "fields.0.name"),
    ],
)
def test_an_invalid_replacement_is_rejected(replacement: list[tuple[str, dict[str, Any]]], field: str) -> None:
    gone = FieldView(name="gone", display_name="Gone", hidden=True)
    with pytest.raises(InvalidInput) as refused:
        views.replaced(tenant(gone), replacement)
    assert refused.value.field == field


def test_a_removed_field_can_be_restored() -> None:
    shown = tenant(ORDER)
    removed = views.without_view(shown, "order_number")
    assert removed[0].hidden
    assert not (removed[0].show_in_table)
    assert not (removed[0].downloadable)
    assert not (removed[0].filterable)
    assert "order_number" not in names(tenant(*removed))
    with pytest.raises(NotFound):
        views.without_view(tenant(*removed), "order_number")
    assert views.with_view(tenant(*removed), ORDER) == (ORDER,)
    with pytest.raises(FieldConflict):
        views.without_view(shown, "action")


def test_a_tenant_may_hide_an_environments_field_and_show_a_removed_one() -> None:
    hidden = views.without_view(tenant(env=(ORDER,)), "order_number")
    assert "order_number" not in names(tenant(*hidden, env=(ORDER,)))
    assert views.with_view(tenant(*hidden, env=(ORDER,)), ORDER) == ()  # inherited from the environment again
    gone = ORDER.model_copy(update={"hidden": True})
    shown = views.with_view(tenant(env=(gone,)), ORDER)
    assert shown[0].hidden is False
    assert "order_number" in names(tenant(*shown, env=(gone,)))


def test_an_environments_removal_reaches_a_tenant_that_only_renamed_the_field() -> None:
    renamed = views.replaced(tenant(env=(ORDER,)), [("order_number", {"display_name": "Number"})])
    gone = ORDER.model_copy(update={"hidden": True})
    assert "order_number" not in names(tenant(*renamed, env=(gone,)))


def test_the_etag_changes_with_inherited_fields() -> None:
    env, own = ENV.model_copy(update={"revision": 3}), ACME.model_copy(update={"revision": 5})
    assert (ScopeState(env, env).etag, ScopeState(env, own).etag) == ('"3"', '"3.5"')


def test_changes_name_each_field_once_with_both_values() -> None:
    before = tenant(ORDER)
    hidden = ORDER.model_copy(update={"hidden": True, "show_in_table": False})
    named = before.fields["ip"].model_copy(update={"display_name": "IP"})
    after = ScopeState(ENV, ACME.model_copy(update={"enabled": False, "fields": (hidden, named)}))
    found = {one["field"]: one for one in views.changes(before, after)}
    assert found[None]["values"] == {"enabled": (None, False)}
    assert found["order_number"]["kind"] == "removed"
    assert found["order_number"]["values"] == {"showInTable": (True, False), "hidden": (None, True)}
    assert (found["ip"]["kind"], found["ip"]["values"]) == ("changed", {"displayName": ("IP address", "IP")})
    back = {one["field"]: one for one in views.changes(after, before)}
    assert {one["kind"] for one in back.values()} == {"switched", "restored", "reset"}
    assert back["ip"]["values"] == {"displayName": ("IP", "IP address")}
    assert views.changes(before, before) == []


def test_the_previous_value_is_the_environments_where_the_tenant_has_none() -> None:
    renamed = DEFAULT_FIELDS[2].model_copy(update={"display_name": "Deed"})
    mine = renamed.model_copy(update={"display_name": "What"})
    [change] = views.changes(tenant(env=(renamed,)), tenant(mine, env=(renamed,)))
    assert change == {"kind": "changed", "field": "action", "values": {"displayName": ("Deed", "What")}}
    [change] = views.changes(tenant(env=(ORDER,)), tenant(ORDER.model_copy(update={"hidden": True}), env=(ORDER,)))
    assert (change["kind"], change["values"]) == ("removed", {"hidden": (None, True)})
    [change] = views.changes(ScopeState(ENV, ENV), ScopeState(*[ENV.model_copy(update={"fields": (renamed,)})] * 2))
    assert (change["kind"], change["values"]) == ("changed", {"displayName": ("Action", "Deed")})
    [change] = views.changes(tenant(), tenant(ORDER))
    assert (change["kind"], change["values"]["displayName"]) == ("added", (None, "Order"))


def test_the_sequence_is_recorded_when_fields_have_moved() -> None:
    room = [one.model_copy(update={"order": 5}) for one in DEFAULT_FIELDS if one.name in ("actor_name", "action")]
    before, after = views.sequence(tenant(), tenant(*room)) or ([], [])
    assert before[:6] == ["occurred_at", "actor_name", "action", "resource", "outcome", "severity"]
    assert after[:6] == ["occurred_at", "resource", "outcome", "action", "actor_name", "severity"]
    assert views.sequence(tenant(), tenant(ORDER)) is None  # adding a field does not move the others
    assert views.sequence(tenant(), tenant(room[0].model_copy(update={"order": 1, "display_name": "X"}))) is None


# Properties of the overlay

VIEWS = st.builds(
    lambda **given: FieldView(**given),
    name=st.sampled_from(["action", "ip", "x", "y"]),
    display_name=st.sampled_from(["A", "B"]),
    show_in_table=st.booleans(),
    order=st.integers(-2, 30),
    hidden=st.sampled_from([None, True, False]),
)
OWN = st.lists(VIEWS, unique_by=lambda one: one.name).map(tuple)
SWITCH = st.sampled_from([None, True, False])


def revision(scope: str, fields: tuple[FieldView, ...], enabled: bool | None) -> Revision:
    return Revision(scope=scope, fields=fields, enabled=enabled)


@given(OWN, OWN, SWITCH, SWITCH)
def test_a_tenants_overlay_loses_no_field_and_takes_precedence(
    env: tuple[FieldView, ...], own: tuple[FieldView, ...], env_on: bool | None, own_on: bool | None
) -> None:
    enabled, fields = overlay(revision(ENVIRONMENT, env, env_on), revision("tenant:a", own, own_on))
    assert enabled == (own_on if own_on is not None else env_on if env_on is not None else True)
    by_name = {one.name: one for one in fields}
    assert len(by_name) == len(fields)  # each field occurs once
    assert [one.order for one in fields] == sorted(one.order for one in fields)
    assert {one.name for one in (*DEFAULT_FIELDS, *env, *own)} == set(by_name)  # exactly these fields exist
    for field in own:
        assert by_name[field.name].model_copy(update={"hidden": field.hidden}) == field  # the tenant takes precedence


@given(OWN, OWN)
def test_writing_back_the_structure_unchanged_changes_nothing(
    env: tuple[FieldView, ...], own: tuple[FieldView, ...]
) -> None:
    shown = tenant(*own, env=env)
    visible = [one for one in shown.fields.values() if not one.hidden]
    stated = [(one.name, one.model_dump(exclude={"name", "hidden"})) for one in visible]
    kept = views.replaced(shown, stated)
    again = tenant(*kept, env=env)
    assert [(one.name, one.display_name, one.order) for one in again.fields.values() if not one.hidden] == [
        (field.name, field.display_name, field.order) for field in visible
    ]
    assert views.replaced(again, stated) == kept  # replacing is idempotent
