"""What becomes of the messages of a range: rows to store, and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyarrow import Table

from auditlane.worker.validation.batch import Rejection


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every message of the range is in one place: a row of `rows` (month as yyyymm -> rows in the columns of
    `columns.EVENTS`, ordered by schema and offset) or one of `rejected`, ordered by index. `by_tenant` counts each
    tenant's (messages, refused ones), those of keys that name none under the empty name."""

    rows: dict[int, Table]
    rejected: list[Rejection]
    by_tenant: Mapping[str, tuple[int, int]] = field(default_factory=dict)
