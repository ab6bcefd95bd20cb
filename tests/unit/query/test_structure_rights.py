"""Tests that changing a field requires the permissions for all attributes that the change sets."""

from __future__ import annotations

from typing import Any

import pytest

from auditlane.access.permissions import Permission
from auditlane.query.structure.models import ChangedField
from auditlane.query.structure.rights import require
from auditlane.runtime.errors import Forbidden

CONFIGURE, CONTRACT = Permission.configure, Permission.contract
SHOWN: dict[str, Any] = {
    "displayName": "Order",
    "sortable": True,
    "filterable": False,
    "showInTable": True,
    "showInMoreInfo": False,
    "downloadable": False,
    "order": 3,
}
DEMANDED: dict[str, Any] = {
    "type": "Email",
    "default": None,
    "rules": {},
    "exclusive": False,
}


@pytest.mark.parametrize("name", SHOWN)
def test_the_presentation_requires_the_configure_permission(name: str) -> None:
    body = ChangedField.model_validate({name: SHOWN[name]})
    require({CONFIGURE}, body)
    with pytest.raises(Forbidden, match=rf"audits:configure \(needed for {name}\)") as caught:
        require({CONTRACT}, body)
    assert caught.value.field == name


@pytest.mark.parametrize("name", DEMANDED)
def test_rules_require_the_contract_permission(name: str) -> None:
    body = ChangedField.model_validate({name: DEMANDED[name]})
    require({CONTRACT}, body)
    with pytest.raises(Forbidden, match=rf"audits:contract \(needed for {name}\)") as caught:
        require({CONFIGURE}, body)
    assert caught.value.field == name


def test_every_attribute_requires_one_of_the_two_permissions() -> None:
    named = {field.alias for field in ChangedField.model_fields.values()}
    assert named == {*SHOWN, *DEMANDED}


def test_a_change_of_both_requires_both_permissions() -> None:
    body = ChangedField.model_validate({"displayName": "Order", "rules": {"required": True}, "default": "x"})
    require({CONFIGURE, CONTRACT}, body)
    with pytest.raises(Forbidden, match=r"audits:contract \(needed for default, rules\)\. Nothing was changed"):
        require({CONFIGURE}, body)
    with pytest.raises(Forbidden, match=r"audits:configure \(needed for displayName\)\. Nothing was changed"):
        require({CONTRACT}, body)
    with pytest.raises(Forbidden, match=r"audits:configure .* and audits:contract"):
        require(set(), body)


def test_omitted_attributes_require_no_permission() -> None:
    require(set(), ChangedField.model_validate({}))
    require(set(), ChangedField.model_validate({"rules": None, "type": None, "exclusive": None, "displayName": None}))
