"""An in-memory table. An insert takes two steps, so that other inserts can run between the insert's guard and the
moment at which its rows become visible ("land").

Tokens are checked when rows land, and are forgotten once they are outside the window. If a token is known, the whole
insert is dropped, whatever rows it contains. An insert lands completely or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from auditlane.contract.partition import Partition

Offset = tuple[Partition, int]


@dataclass(slots=True)
class Insert:
    """A statement that the server has received. Once the guard has run, `rows` contains the offsets that passed it."""

    token: str
    partition: Partition
    period: int
    offsets: tuple[int, ...]
    rows: tuple[int, ...] | None = None
    landed: bool = False
    began: int = 0
    unanswered: bool = False  # whether the server was killed while it ran
    held: int | None = None  # adds nothing unless exactly this many offsets of its span and period are stored
    span: tuple[int, int] = (0, 0)
    added: int = 0  # number of rows that this insert added


@dataclass(slots=True)
class ClickHouse:
    window: int
    guard: bool = True
    # If another insert has used a running insert's token, the running insert lands before the token is forgotten.
    patient: bool = True
    rows: dict[Offset, int] = field(default_factory=dict)  # number of times that each offset is stored
    periods: dict[Offset, int] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)  # token -> number of the insert that used it, oldest first
    lost: dict[str, Insert] = field(default_factory=dict)  # token -> insert whose rows were lost
    running: list[Insert] = field(default_factory=list)
    inserts: int = 0

    def send(
        self,
        token: str,
        partition: Partition,
        period: int,
        offsets: Iterable[int],
        *,
        held: int | None = None,
        span: tuple[int, int] = (0, 0),
    ) -> Insert:
        insert = Insert(token, partition, period, tuple(offsets), began=self.inserts, held=held, span=span)
        self.running.append(insert)
        return insert

    def look(self, insert: Insert) -> None:
        if insert.rows is None and insert.held not in (None, self._held(insert)):
            insert.rows = ()
        if insert.rows is None:
            stored = self.rows
            insert.rows = tuple(
                offset for offset in insert.offsets if not self.guard or (insert.partition, offset) not in stored
            )

    def land(self, insert: Insert) -> None:
        """Make an insert's rows visible atomically."""
        self.look(insert)
        if not insert.landed:
            self._land(insert)

    def others(self, count: int) -> None:
        """Land `count` inserts of other partitions in the same table."""
        for _ in range(count):
            self._remember(f"other {self.inserts}")

    def _land(self, insert: Insert) -> None:
        self.look(insert)
        insert.landed = True
        self.running.remove(insert)
        assert insert.rows is not None
        if not insert.rows or insert.token in self.tokens:
            return
        for offset in insert.rows:
            at = insert.partition, offset
            self.rows[at] = self.rows.get(at, 0) + 1
            self.periods[at] = insert.period
        insert.added = len(insert.rows)
        self._remember(insert.token)

    def _remember(self, token: str) -> None:
        self.inserts += 1
        self.tokens[token] = self.inserts
        # While patient, lost rows' token is kept until the rows are stored again; from then on, the guard sees them.
        kept = {insert.token for insert in self.lost.values() if self.patient and self._is_missing(insert)}
        while oldest := next((token for token in self.tokens if token not in kept), ""):
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
        """Abort the statement because its connection was closed before its rows landed."""
        if not insert.landed:
            insert.landed = True
            self.running.remove(insert)

    def lose(self, insert: Insert) -> None:
        """Lose the rows but keep their token, as when the only replica with the part dies before a quorum has it."""
        self.look(insert)
        if not insert.landed and insert.rows and insert.token not in self.tokens:
            self.lost[insert.token] = insert
            self._remember(insert.token)
        self.drop(insert)

    def owes(self, partition: Partition) -> bool:
        """Return whether the partition has lost rows that have not been stored again yet."""
        return any(self._is_missing(insert) for insert in self.lost.values() if insert.partition == partition)

    def _is_missing(self, insert: Insert) -> bool:
        return any((insert.partition, offset) not in self.rows for offset in insert.rows or ())

    def _held(self, insert: Insert) -> int:
        return len(self.held(insert.partition, *insert.span).get(insert.period, ()))

    def held(self, partition: Partition, first: int, last: int) -> dict[int, set[int]]:
        """Return the stored offsets from `first` to `last`, by period."""
        found: dict[int, set[int]] = {}
        for offset in range(first, last + 1):
            if (period := self.periods.get((partition, offset))) is not None:
                found.setdefault(period, set()).add(offset)
        return found

    def stored(self, partition: Partition) -> list[int]:
        return sorted(offset for at, offset in self.rows if at == partition)
