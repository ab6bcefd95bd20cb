"""The columns of an export: those that the tenant's structure makes downloadable, or all columns for an operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from auditlane.query.clickhouse.statements import COLUMNS
from auditlane.runtime.errors import InvalidFilter
from auditlane.store.presentation import DEFAULT_FIELDS, DisplayType, FieldView
from auditlane.store.structure_cache import Structure

# Columns that every event has, even if the structure does not list them. They are exported only if named.
_IDENTITY: Final = {
    "event_id": "Event ID",
    "tenant_id": "Tenant",
    "ingested_at": "Ingested",
    "content_hash": "Content hash",
}
_CONFLICT: Final = "conflict"
_TITLES: Final = _IDENTITY | {"fields": "Fields"} | {field.name: field.display_name for field in DEFAULT_FIELDS}
_MAPS: Final = ("metadata", "fields")
_KEY: Final = "metadata."
_TIMES: Final = ("occurred_at", "ingested_at")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file. `name` is a base field, a custom field, `metadata.<key>`, or `fields` for all custom fields
    together.
    """

    name: str
    title: str
    custom: bool = False
    number: bool = False
    in_table: bool = False

    @property
    def is_map(self) -> bool:
        """Whether cells contain keys and values."""
        return not self.custom and self.name in _MAPS

    @property
    def metadata_key(self) -> str:
        """The metadata key whose value is in the cells, or an empty string for other columns."""
        return "" if self.custom or not self.name.startswith(_KEY) else self.name.removeprefix(_KEY)

    @property
    def is_time(self) -> bool:
        """Whether cells contain a time."""
        return not self.custom and self.name in _TIMES

    @property
    def is_sentence(self) -> bool:
        """Whether cells contain the event as a sentence. `query.export.sentences` writes it."""
        return not self.custom and self.name == "sentence"

    @property
    def is_conflict(self) -> bool:
        """Whether cells contain whether the event is in conflict with another event."""
        return not self.custom and self.name == _CONFLICT


# The columns that every OCSF event needs for its time, class and identity.
_OCSF: Final = ("event_id", "tenant_id", "occurred_at", "ingested_at", "action")
_SENTENCE: Final = Column("sentence", "Sentence")  # exported only if named
CONFLICT: Final = Column(_CONFLICT, "Conflict", in_table=True)  # not in the structure, so always downloadable


def downloadable(structure: Structure) -> list[Column]:
    """Return the columns that viewers of the tenant may download, in the order of the structure."""
    given = [_column(field) for field in structure.downloadable() if field.custom or field.name in COLUMNS]
    return [*given, CONFLICT] if given else []


def of_operator(structure: Structure) -> list[Column]:
    """Return every stored column, with the tenant's own title if there is one."""
    titles = _TITLES | {field.name: field.display_name for field in structure.fields}
    table = {field.name for field in structure.displayed()}
    return [*(Column(name, titles[name], in_table=name in table) for name in COLUMNS), CONFLICT]


def choose(structure: Structure, named: str | None, *, everything: bool = False) -> tuple[Column, ...]:
    """Return the columns of an export. `named` is a comma-separated list of columns in order. None means all columns.

    A column is named like its field in filters (`fields.total`), with or without the prefix (`total`). Raises
    InvalidFilter for any other name.
    """
    given = of_operator(structure) if everything else downloadable(structure)
    if named is None:
        if not given:
            raise InvalidFilter(
                "No field of this log may be downloaded.", fix="Allow one in the tenant's data structure."
            )
        return _distinct(given)
    known = {column.name: column for column in _nameable(structure, given, everything=everything)}
    chosen = []
    for name in named.split(","):
        name = name.strip()
        column = known.get(name.removeprefix("fields.")) or _of_key(name, known)
        if column is None or (name.startswith("fields.") and not column.custom):
            raise InvalidFilter(
                f"There is no column {name[:100]!r} to download.",
                field="columns",
                fix=f"Known columns: {', '.join(known)}.",
            )
        if column in chosen:
            raise InvalidFilter(f"Column {name!r} is listed twice.", field="columns", fix="List it once.")
        chosen.append(column)
    return _distinct(chosen)


def withdrawn_of(columns: Sequence[Column], structure: Structure) -> list[Column]:
    """Return those of the chosen columns that may no longer be downloaded."""
    allowed = {
        (column.name, column.custom) for column in _nameable(structure, downloadable(structure), everything=False)
    }
    return [
        column
        for column in columns
        if ("metadata" if column.metadata_key else column.name, column.custom) not in allowed
    ]


def of_table(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns that are shown in the viewer's table. If it shows none of them, all columns are returned."""
    return tuple(column for column in columns if column.in_table) or tuple(columns)


def titled(columns: Sequence[Column], titles: Sequence[str] | None) -> tuple[Column, ...]:
    """Return the columns with these titles, such as translated names. There must be one title per column.

    Raises InvalidFilter if the number of titles differs from the number of columns.
    """
    if titles is None:
        return tuple(columns)
    if len(titles) != len(columns):
        raise InvalidFilter(
            f"'titles' contains {len(titles)} titles for {len(columns)} columns.",
            field="titles",
            fix="Name the columns with 'columns', and pass one title for each.",
        )
    return _distinct([replace(column, title=title) for column, title in zip(columns, titles, strict=True)])


def of_ocsf(columns: Sequence[Column], structure: Structure, *, everything: bool = False) -> tuple[Column, ...]:
    """Return the columns, and those that every OCSF event needs. Raises InvalidFilter if one of the latter is not
    downloadable.
    """
    given = of_operator(structure) if everything else downloadable(structure)
    known = {column.name: column for column in _nameable(structure, given, everything=everything) if not column.custom}
    present = {column.name for column in columns if not column.custom}
    for name in _OCSF:
        if name not in known:
            raise InvalidFilter(
                f"OCSF requires the column {name!r}, which cannot be downloaded from this log.",
                field="format",
                fix="Choose another format, or allow the field in the tenant's data structure.",
            )
    return (*columns, *(known[name] for name in _OCSF if name not in present))


def _nameable(structure: Structure, given: list[Column], *, everything: bool) -> list[Column]:
    listed = {field.name for field in structure.fields}
    identity = [Column(name, title) for name, title in _IDENTITY.items() if name not in listed]
    custom = [_column(field) for field in structure.custom()] if everything else []
    sentence = [_SENTENCE] if any(column.name == "action" and not column.custom for column in given) else []
    return list({column.name: column for column in (*sentence, *given, *identity, *custom)}.values())


def _of_key(name: str, known: Mapping[str, Column]) -> Column | None:
    """Return the column for a metadata key, or None if the metadata may not be downloaded."""
    key = name.removeprefix(_KEY)
    return Column(name, key) if key not in ("", name) and "metadata" in known else None


def _column(field: FieldView) -> Column:
    number = field.custom and field.display_type is DisplayType.Number
    return Column(field.name, field.display_name, field.custom, number, field.show_in_table)


def _distinct(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns with distinct titles, since readers of a file distinguish columns by their titles."""
    titles = [column.title for column in columns]
    return tuple(
        column if titles.count(column.title) == 1 else replace(column, title=f"{column.title} ({column.name})")
        for column in columns
    )
