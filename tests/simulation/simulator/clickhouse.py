"""The table in memory: inserts in two steps, so that others may come between the guard's look and the rows' landing.

Tokens are checked when rows land and forgotten past the window; a token that is known drops the whole insert, whatever
is in it. One insert lands wholly or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from auditlane.contract.partition import Partition

Offset = tuple[Partition, int]


@dataclass(slots=True)
class Insert:
    """A statement that the server has. `rows` are what the guard left, once it has looked."""

    token: str
    partition: Partition
    month: int
    offsets: tuple[int, ...]
    rows: tuple[int, ...] | None = None
    landed: bool = False
    began: int = 0
    unanswered: bool = False  # the server was killed under it
    held: int | None = None  # it adds nothing unless so many offsets of its span and month are stored
    span: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class ClickHouse:
    window: int
    guard: bool = True
    patient: bool = True  # whether a running insert lands before its token is forgotten, if it was spent meanwhile
    rows: dict[Offset, int] = field(default_factory=dict)  # how often each offset is stored
    months: dict[Offset, int] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)  # oldest first, each with the insert that spent it
    lost: dict[str, Insert] = field(default_factory=dict)  # by tokens that were spent on rows that are gone
    running: list[Insert] = field(default_factory=list)
    inserts: int = 0

    def send(
        self,
        token: str,
        partition: Partition,
        month: int,
        offsets: Iterable[int],
        *,
        held: int | None = None,
        span: tuple[int, int] = (0, 0),
    ) -> Insert:
        """The statement arrives."""
        insert = Insert(token, partition, month, tuple(offsets), began=self.inserts, held=held, span=span)
        self.running.append(insert)
        return insert

    def look(self, insert: Insert) -> None:
        """The guard's subqueries run."""
        if insert.rows is None and insert.held not in (None, self._held(insert)):
            insert.rows = ()
        if insert.rows is None:
            stored = self.rows
            insert.rows = tuple(
                one for one in insert.offsets if not self.guard or (insert.partition, one) not in stored
            )

    def land(self, insert: Insert) -> None:
        """The rows become visible, all at once."""
        self.look(insert)
        if not insert.landed:
            self._land(insert)

    def others(self, count: int) -> None:
        """So many inserts of other partitions land in the same table."""
        for _ in range(count):
            self._remember(f"other {self.inserts}")

    def _land(self, insert: Insert) -> None:
        self.look(insert)
        insert.landed = True
        self.running.remove(insert)
        assert insert.rows is not None
        if not insert.rows or insert.token in self.tokens:
            return
        for one in insert.rows:
            at = insert.partition, one
            self.rows[at] = self.rows.get(at, 0) + 1
            self.months[at] = insert.month
        self._remember(insert.token)

    def _remember(self, token: str) -> None:
        self.inserts += 1
        self.tokens[token] = self.inserts
        # While patient, a window lasts until rows that were lost are stored again: by then the guard sees them.
        kept = {one.token for one in self.lost.values() if self.patient and self._gone(one)}
        while oldest := next((one for one in self.tokens if one not in kept), ""):
            if len(self.tokens) <= self.window + len(kept):
                return
            for other in list(self.running):
                if (
                    self.patient
                    and other.token == oldest
                    and (other.began < self.tokens[oldest] or oldest in self.lost)
                ):
                    self._land(other)
            del self.tokens[oldest]

    def drop(self, insert: Insert) -> None:
        """The statement ends without a trace: its connection broke before the rows landed."""
        if not insert.landed:
            insert.landed = True
            self.running.remove(insert)

    def lose(self, insert: Insert) -> None:
        """The only replica that has the part dies before its quorum: the rows are gone, and their token is spent."""
        self.look(insert)
        if not insert.landed and insert.rows and insert.token not in self.tokens:
            self.lost[insert.token] = insert
            self._remember(insert.token)
        self.drop(insert)

    def owes(self, partition: Partition) -> bool:
        """Whether rows of a partition were lost and are not stored again."""
        return any(self._gone(one) for one in self.lost.values() if one.partition == partition)

    def _gone(self, insert: Insert) -> bool:
        return any((insert.partition, offset) not in self.rows for offset in insert.rows or ())

    def _held(self, insert: Insert) -> int:
        return len(self.held(insert.partition, *insert.span).get(insert.month, ()))

    def held(self, partition: Partition, first: int, last: int) -> dict[int, set[int]]:
        """The offsets that are stored between two, by month."""
        found: dict[int, set[int]] = {}
        for offset in range(first, last + 1):
            if (month := self.months.get((partition, offset))) is not None:
                found.setdefault(month, set()).add(offset)
        return found

    def stored(self, partition: Partition) -> list[int]:
        return sorted(offset for at, offset in self.rows if at == partition)
