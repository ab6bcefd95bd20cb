"""Tests the effective data structure, which combines the defaults, the environment's changes, and the tenant's
changes.
"""

from __future__ import annotations

from auditlane.contract.event import BASE_FIELDS
from auditlane.store.presentation import DEFAULT_FIELDS, PROVENANCE, FieldView, Revision, overlay

ENV, TENANT = Revision(scope="environment"), Revision(scope="tenant:a")


def test_every_base_field_except_ids_is_shown_by_default() -> None:
    assert {field.name for field in DEFAULT_FIELDS} == {*BASE_FIELDS, *PROVENANCE} - {"event_id", "tenant_id"}
    assert overlay(ENV, TENANT) == (True, list(DEFAULT_FIELDS))


def test_the_tenants_own_changes_take_precedence_over_the_environments() -> None:
    env = ENV.model_copy(update={"enabled": False, "fields": (FieldView(name="action", display_name="What", order=0),)})
    own = TENANT.model_copy(update={"fields": (FieldView(name="action", display_name="Deed", order=-1),)})
    enabled, fields = overlay(env, own)
    assert (enabled, fields[0].display_name) == (False, "Deed")
    assert overlay(env, own.model_copy(update={"enabled": True}))[0] is True
    assert overlay(env, TENANT)[1][0].display_name == "What"


def test_names_in_json_are_those_of_the_protocol() -> None:
    names = FieldView(name="a", display_name="A").model_dump(by_alias=True)
    assert {"displayName", "displayType", "showInTable", "showInMoreInfo", "downloadable"} <= set(names)
