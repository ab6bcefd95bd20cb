"""Tests permissions and scopes. Only authentication can create a scope."""

from __future__ import annotations

import ast
import copy
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditlane.access.permissions import ROLES, VIEWER, Permission, parse_permissions, permissions_of
from auditlane.access.scope import Principal, TenantScope
from auditlane.runtime.errors import Forbidden, InvalidInput, WrongTenant

ROOT = Path(__file__).parents[3]


def principal(tenant: str | None, *permissions: Permission) -> Principal:
    return Principal("client", "c1", "c1", tenant, frozenset(permissions), datetime.now(UTC))


def test_a_scope_cannot_be_constructed_directly():
    with pytest.raises(TypeError, match="authentication"):
        TenantScope("acme", "me", frozenset(Permission))
    with pytest.raises(TypeError):
        TenantScope("acme", "me", frozenset(Permission), grant=object())


def test_a_scope_cannot_be_changed():
    scope = TenantScope.for_operator("acme")
    with pytest.raises(AttributeError):
        scope.tenant = "other"
    with pytest.raises(AttributeError):
        del scope.tenant
    with pytest.raises(AttributeError):
        scope.more = 1
    with pytest.raises((TypeError, AttributeError)):
        copy.copy(scope).tenant = "other"
    assert scope.tenant == "acme"


def test_only_authentication_makes_principals_and_only_the_cli_acts_for_the_operator():
    """A route that could create its own scope could break tenant isolation."""
    allowed = {
        "Principal": "schemas/auditlane/access/",
        # The latter for auditlane's own audit trail.
        "for_operator": ("deploy/auditlane/cli/", "consumers/auditlane/observe/canary/"),
        "authorized_before": "consumers/auditlane/query/export/",
        "_GRANT": "schemas/auditlane/access/scope.py",
    }
    found = set()
    for root in ("schemas", "producers", "consumers", "deploy"):
        for path in (ROOT / root).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                called = node.func if isinstance(node, ast.Call) else node
                word = getattr(called, "attr", None) or getattr(called, "id", None)
                if word == "Principal" and not isinstance(node, ast.Call):
                    continue
                if word in allowed:
                    found.add(word)
                    assert name.startswith(allowed[word]), f"{name}:{node.lineno} uses {word}"
    assert found >= {"Principal", "_GRANT", "authorized_before"}


def test_an_environments_client_names_its_tenant():
    client = principal(None, Permission.read)
    assert client.scope(Permission.read, "acme").tenant == "acme"
    for missing in (None, ""):
        with pytest.raises(InvalidInput) as caught:
            client.scope(Permission.read, missing)
        assert caught.value.field == "Auditlane-Tenant"


def test_a_tenants_credential_stays_in_its_tenant():
    client = principal("acme", Permission.read)
    assert client.scope(Permission.read, None).tenant == "acme"
    assert client.scope(Permission.read, "acme").tenant == "acme"
    for other in ("other", "", "ACME", "acme "):
        with pytest.raises(WrongTenant):
            client.scope(Permission.read, other)


def test_the_permission_is_checked_before_the_tenant():
    for named in (None, "acme", "other"):
        with pytest.raises(Forbidden, match="audits:export"):
            principal("acme", Permission.read).scope(Permission.export, named)


def test_roles_add_up_and_only_admin_may_administer():
    assert permissions_of(["writer"]) == {Permission.write}
    assert permissions_of(["writer", "auditor"]) == {Permission.write, Permission.read, Permission.export}
    assert permissions_of([]) == permissions_of(["nobody"]) == frozenset()
    assert all(Permission.admin not in rights for role, rights in ROLES.items() if role != "admin")


def test_no_role_gives_a_client_bound_to_a_tenant_the_contract_permission():
    for role, rights in ROLES.items():
        assert permissions_of([role]) == rights
        assert permissions_of([role], bound=True) == rights - {Permission.contract}
    assert {role for role, rights in ROLES.items() if Permission.contract in rights} == {"vendor", "admin"}


def test_permissions_are_parsed_by_name():
    assert parse_permissions(["read", "audits:export"]) == {Permission.read, Permission.export}
    for wrong in ([], ["admin"], ["audits:write"], ["read", "nothing"]):
        with pytest.raises(InvalidInput) as caught:
            parse_permissions(wrong)
        assert all(one in caught.value.fix for one in VIEWER)


def test_the_docs_tables_match_the_code():
    page = (ROOT / "docs" / "access.md").read_text("utf-8")
    for permission in Permission:
        assert f"| `{permission}` |" in page
    for role, rights in ROLES.items():
        line = next(line for line in page.splitlines() if line.startswith(f"| `{role}` |"))
        named = line.split("|")[2].strip()
        assert (
            named == "all of them" if rights == set(Permission) else set(named.split(", ")) == {r.name for r in rights}
        )
