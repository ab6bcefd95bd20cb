"""Tests which change results from the operations of one transaction on a row."""

from __future__ import annotations

from typing import Any

import pytest

from auditlane.integrations.sqlalchemy.changes import Bulk, Change, Changes, Kind, frozen, same
from auditlane.integrations.sqlalchemy.models import AuditedModel

MODEL = AuditedModel(dict, "thing")
GONE: dict[str, Any] = {}


def change(
    kind: Kind, before: dict[str, Any] = GONE, after: dict[str, Any] = GONE, key: int = 1, was: int = 1
) -> Change:
    return Change(MODEL, kind, None if kind == "created" else (dict, (was,)), (dict, (key,)), before, after)


def created(**after: Any) -> Change:
    return change("created", {}, after)


def updated(**columns: tuple[Any, Any]) -> Change:
    return change("updated", {n: was for n, (was, _) in columns.items()}, {n: now for n, (_, now) in columns.items()})


def deleted(**before: Any) -> Change:
    return change("deleted", before)


@pytest.mark.parametrize(
    ("operations", "sum_of_them"),
    [
        pytest.param([created(a=1), updated(a=(1, 2), b=(None, 3))], [created(a=2, b=3)], id="created and changed"),
        pytest.param([created(a=1), deleted(a=1)], [], id="created and deleted"),
        pytest.param([created(a=1), updated(a=(1, 2)), deleted(a=2)], [], id="created, changed and deleted"),
        pytest.param([created(a=1), deleted(a=1), created(a=2)], [created(a=2)], id="created twice"),
        pytest.param([updated(a=(1, 2)), updated(a=(2, 3), b=(0, 1))], [updated(a=(1, 3), b=(0, 1))], id="twice"),
        pytest.param([updated(a=(1, 2)), updated(a=(2, 1))], [], id="changed and back"),
        pytest.param([updated(a=(1, 2), b=(1, 2)), updated(a=(2, 1))], [updated(b=(1, 2))], id="one column back"),
        pytest.param([updated(a=(1, 2)), deleted(a=2, b=7)], [deleted(a=1, b=7)], id="changed and deleted"),
        pytest.param([deleted(a=1, b=7), created(a=2, b=7)], [updated(a=(1, 2))], id="replaced"),
        pytest.param([deleted(a=1), created(a=1)], [], id="replaced by the same"),
        pytest.param([deleted(a=1), created(a=2), deleted(a=2)], [deleted(a=1)], id="replaced and deleted"),
        pytest.param([updated(a=(1, 2)), created(a=3)], [updated(a=(1, 2)), created(a=3)], id="a bulk delete between"),
    ],
)
@pytest.mark.parametrize("released", [0, 1, 2], ids=lambda n: f"{n} in the outer transaction")
def test_operations_on_one_row_become_one_change(
    operations: list[Change], sum_of_them: list[Change], released: int
) -> None:
    outer, inner = Changes(), Changes()
    for number, operation in enumerate(operations):
        (outer if number < released else inner).add(operation)
    outer.merge(inner)
    found = list(outer.settled())
    assert [(one.kind, one.before, one.after) for one in found if isinstance(one, Change)] == [
        (change.kind, change.before, change.after) for change in sum_of_them
    ]


def test_a_change_follows_its_row_to_another_primary_key() -> None:
    outer, inner = Changes(), Changes()
    outer.add(change("updated", {"id": 1, "a": 1}, {"id": 2, "a": 2}, key=2, was=1))
    inner.add(change("updated", {"id": 2}, {"id": 3}, key=3, was=2))
    outer.merge(inner)
    [found] = outer.settled()
    assert isinstance(found, Change)
    assert (found.origin, found.row) == ((dict, (1,)), (dict, (3,)))
    assert (found.before, found.after) == ({"id": 1, "a": 1}, {"id": 3, "a": 2})


def test_bulk_statements_keep_their_place() -> None:
    changes = Changes()
    changes.add(created(a=1))
    changes.add(Bulk(MODEL, "updated", 3, "UPDATE thing"))
    changes.add(updated(a=(1, 2)))
    assert [one.kind for one in changes.settled()] == ["created", "updated"]


def test_a_copied_value_does_not_change_later() -> None:
    value = {"tags": ["a"]}
    kept = frozen(value)
    value["tags"].append("b")
    assert kept == {"tags": ["a"]}


def test_values_that_cannot_be_copied_or_compared() -> None:
    class Stubborn:
        def __deepcopy__(self, memo: Any) -> Any:
            raise RuntimeError

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    assert frozen(Stubborn()) == "<Stubborn>"
    value = Stubborn()
    assert same(value, value)
    assert not same(value, Stubborn())
