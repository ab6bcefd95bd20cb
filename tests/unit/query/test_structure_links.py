"""Tests templates for links to the application's pages. They must use https, and may have known placeholders after the
host.
"""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from auditlane.query.structure import views
from auditlane.query.structure.links import link_problem
from auditlane.query.structure.models import StructureFieldUpdate
from auditlane.query.structure.views import ScopeState
from auditlane.store.presentation import ENVIRONMENT, Revision, tenant_scope

LINK = "https://app.example/documents/{resource_id}"


@pytest.mark.parametrize("template", [LINK, "https://app.example:8443/{tenant_id}?id={resource_id}#{resource}"])
def test_a_valid_template_is_accepted(template: str) -> None:
    assert link_problem(template) is None


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("http://app.example/{resource_id}", "https://"),
        ("javascript:alert({resource_id})", "https://"),
        ("//app.example/{resource_id}", "https://"),
        ("https:///{resource_id}", "https://"),
        ("https://user:pw@app.example/{resource_id}", "credentials"),
        ("https://{resource_id}.example/", "host"),
        ("https://app.example/{resource_id} x", "white space"),
        ("https://app.example/\\{resource_id}", "backslash"),
        ("https://app.example/{id}", "{id}"),
        ("https://app.example/{resource_id", "brace"),
        ("https://app.example/documents", "{resource_id}"),
        ("https://[x/{resource_id}", "is not an address"),
    ],
)
def test_an_invalid_template_is_explained(template: str, named: str) -> None:
    problem = link_problem(template)
    assert problem is not None
    assert named in problem


def test_links_belong_to_the_resource_and_are_inherited_and_in_the_history() -> None:
    update = StructureFieldUpdate.model_validate({"name": "resource", "links": {"document": LINK}})
    empty = Revision(scope=ENVIRONMENT)
    fields = views.replaced(ScopeState(empty, empty), [(update.name, update.view())])
    saved = Revision(scope=ENVIRONMENT, revision=1, fields=fields)
    assert ScopeState(saved, Revision(scope=tenant_scope("acme"))).fields["resource"].links == {"document": LINK}
    [change] = views.changes(ScopeState(empty, empty), ScopeState(saved, saved))
    assert change["values"] == {"links": ({}, {"document": LINK})}
    with pytest.raises(ValidationError, match="belong to the field resource, not to action"):
        StructureFieldUpdate.model_validate({"name": "action", "links": {"document": LINK}})
