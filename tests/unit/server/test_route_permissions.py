"""Tests that the permissions table contains every route, and that routes reject all other callers even without a
store.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from matrix import LET_IN, Matrix, is_answer, role_of_nobody
from serving import Served
from surface import operations

from auditlane.access.permissions import Permission
from auditlane.server.auth.route_permissions import RIGHTS, Whose, needs_of, route_of

NOWHERE = {"kafka_bootstrap": "127.0.0.1:1", "registry_url": "http://127.0.0.1:1"}


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with role_of_nobody(), Served(tmp_path_factory.mktemp("matrix"), **NOWHERE) as served:
        yield Matrix(served)


def test_every_route_is_in_the_table_and_every_row_is_a_route(matrix: Matrix) -> None:
    routes = {route_of(one.method, one.path) for one in operations(matrix.served.app)}
    assert routes - {one.route for one in RIGHTS} == set(), (
        "list in server/auth/route_permissions.py who may call these"
    )
    assert {one.route for one in RIGHTS} - routes == set(), (
        "server/auth/route_permissions.py has rows of removed routes"
    )
    assert len({str(one) for one in RIGHTS}) == len(RIGHTS)


def test_every_permission_is_for_something(matrix: Matrix) -> None:
    assert {one for right in RIGHTS for one in right.needs} == set(Permission)
    tried = {right for right, _, _ in matrix.cells()}
    assert tried == set(RIGHTS)
    assert all(right.needs for right in RIGHTS if right.whose in (Whose.tenant, Whose.environment, Whose.console))


@pytest.mark.parametrize("whose", Whose)
def test_callers_not_in_the_table_are_rejected(matrix: Matrix, whose: Whose) -> None:
    wrong = []
    for right, credential, expected in matrix.cells():
        if right.whose is whose and expected != LET_IN:
            status, code = matrix.send(right, credential)
            if not is_answer(status, code, expected):
                wrong.append(f"{right}, {credential}: {status} {code}, not {expected}")
    assert wrong == []


def test_the_document_states_each_routes_permission(matrix: Matrix) -> None:
    document = matrix.served.request("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("x-permissions", []) == needs_of(route_of(method.upper(), path)), path
    field = document["paths"]["/v1/tenants/{tenant}/structure/fields/{name}"]["put"]
    assert field["x-permissions"] == ["audits:configure", "audits:contract"]
