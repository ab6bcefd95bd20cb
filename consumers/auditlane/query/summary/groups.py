"""Groups events by the values of a field. It builds the query that finds a group, and the response from counted
rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from auditlane.contract.event_groups import Group
from auditlane.contract.provenance import TRAIL
from auditlane.contract.vocabulary import ACCESS_ACTIONS
from auditlane.query.fields import BASE
from auditlane.query.filters import MAX_VALUE_CHARS, Filter, names_access
from auditlane.query.language.tree import Field, Has, Match, Node, Or, all_of, any_of, none_of, text_of

_NAME, _ID = (Field(name, BASE[name]) for name in ("actor_name", "actor_id"))
_ACTION, _SOURCE = (Field(name, BASE[name]) for name in ("action", "source"))
OTHERS: Final = 0  # place of a row with any other value; the values have the places from 1
NONE: Final = 1  # place of a row without a value


class Counted:
    """The number of events by place and bucket, from the rows of `sql.compile_groups`."""

    def __init__(self, rows: Iterable[Mapping[str, Any]], starts: Sequence[int], *, compared: bool) -> None:
        """Collect the rows. `starts` contains the start of each bucket in microseconds."""
        self._starts = starts
        self._compared = compared
        self._events: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._before: defaultdict[int, int] = defaultdict(int)
        for row in rows:
            self._events[row["place"]][row["edge"]] = row["events"]
            self._before[row["place"]] += row["before"]

    def group(self, place: int, query: Node | None) -> Group:
        found = self._events[place]
        counts = [found.get(start, 0) for start in self._starts]
        before = self._before[place] if self._compared else None
        return Group(events=sum(counts), before=before, counts=counts, query=_text(query))

    def before(self) -> int:
        """Return the number of events in the preceding period."""
        return sum(self._before.values())


def value_query(field: Field, value: str, row: Mapping[str, Any], filter_: Filter) -> Node:
    """Return the query for the events with this value. `row` is the row of the value in `sql.compile_ranking`.

    A query that names auditlane as the source, or an action of access to the log, would include events about access.
    They are excluded here unless the request's filter includes them.
    """
    if field.path == "actor":
        return _actor(value, row)
    found = Match(field, value)
    if filter_.include_access or not names_access(Filter(query=found)):
        return found
    if field == _SOURCE:
        return all_of([found, *(none_of(Match(_ACTION, action)) for action in sorted(ACCESS_ACTIONS))])
    return all_of([found, none_of(Match(_SOURCE, TRAIL))])


def none_query(field: Field) -> Node:
    """Return the query for the events without a value."""
    if field.path == "actor":  # for an event without a name, `actor` matches the id
        return all_of([none_of(Has(_NAME)), none_of(Has(_ID))])
    return none_of(Has(field))


def others_query(field: Field, queries: Sequence[Node]) -> Node:
    """Return the query for the events that have a value which none of these queries find."""
    if not queries:
        return Has(field)
    return all_of([Has(field), none_of(any_of(queries))])


def _actor(value: str, row: Mapping[str, Any]) -> Node:
    """Return the query for the events with the name of an actor, including events that have only the same id."""
    named, unnamed = Match(_NAME, value), all_of([Match(_ID, value), none_of(Has(_NAME))])
    if not row["unnamed"]:
        return named
    return any_of([named, unnamed]) if row["named"] else unnamed


def _text(query: Node | None) -> str | None:
    if query is None:
        return None
    text = f"({text_of(query)})" if isinstance(query, Or) else text_of(query)
    return text if len(text) <= MAX_VALUE_CHARS else None
