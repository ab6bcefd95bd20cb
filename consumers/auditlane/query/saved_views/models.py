"""A saved view in JSON: the requests and responses of the API, and the stored form."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from auditlane.query.sort import NEWEST
from auditlane.store.presentation import one_line

Preset = Literal["1h", "24h", "7d", "30d", "90d", "1y"]
PRESETS: Final[tuple[str, ...]] = get_args(Preset)
MAX_NAME: Final = 60  # characters
MAX_QUERY: Final = 2_000  # characters
MAX_COLUMNS: Final = 50
MAX_COLUMN: Final = 200  # maximum number of characters in a column's name


def _name(value: str) -> str:
    value = value.strip()
    if not value:
        raise ValueError("must have a character other than a space")
    if not one_line(value):
        raise ValueError("must have no line break or other control character")
    return value


Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(_name)]
ColumnName = Annotated[str, Field(min_length=1, max_length=MAX_COLUMN)]


class ViewContent(BaseModel):
    """A view's content. The time range is `range`, which moves with the clock, or `from` and `to`, or all time."""

    model_config = ConfigDict(populate_by_name=True)

    name: Name = Field(description="The name, unique in its list, ignoring case.", examples=["Denied deletions"])
    query: str = Field(
        "",
        max_length=MAX_QUERY,
        description="The search, in the query language.",
        examples=["action:document.deleted outcome:denied"],
    )
    range: Preset | None = Field(None, description="The last hour, day, week and so on, up to now.", examples=["30d"])
    from_: str | None = Field(
        None, alias="from", max_length=40, description="The beginning: RFC 3339, or a date (UTC)."
    )
    to: str | None = Field(None, max_length=40, description="The end, exclusive: RFC 3339, or a date (UTC).")
    sort: str = Field(
        str(NEWEST),
        max_length=MAX_COLUMN,
        description="A sortable field of the tenant's structure; prefix it with `-` for descending.",
    )
    columns: Annotated[list[ColumnName], Field(max_length=MAX_COLUMNS)] | None = Field(
        None,
        description="The table's columns in order: names of fields, `sentence`, or `metadata.<key>`; null for each "
        "reader's own.",
        examples=[["occurred_at", "actor_name", "action"]],
    )
    group: str | None = Field(
        None,
        max_length=MAX_COLUMN,
        description="The field by which the viewer counts events over time, as in `GET /v1/stats/groups`.",
        examples=["outcome"],
    )
    compare: bool = Field(False, description="Whether the viewer also counts the events of the period before.")
    tz: str | None = Field(
        None, max_length=100, description="The time zone (IANA) of the times; null for each reader's own."
    )


class ViewRequest(ViewContent):
    """A view to save. Omitted members get their defaults."""

    model_config = ConfigDict(extra="forbid")

    shared: bool | None = Field(
        None,
        description="Whether the view is shared with everyone in the tenant; requires `audits:configure`. If "
        "omitted, it stays unchanged, and is false for a new view.",
    )


class StoredView(ViewContent):
    """A view as stored. `revision` counts its changes from 1. Members added by newer versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    revision: int
    created_by: str
    created_at: datetime
    changed_by: str
    changed_at: datetime


class SavedView(StoredView):
    """A saved view."""

    shared: bool = Field(
        description="Whether the view is shared with everyone in the tenant, or only this person has it."
    )

    @property
    def etag(self) -> str:
        """The entity tag, which changes with every change to the view."""
        return f'"{self.revision}"'


class SavedViewList(BaseModel):
    """The views that the caller can use: first the tenant's, then the caller's own, new views last."""

    data: list[SavedView]
