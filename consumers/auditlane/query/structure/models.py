"""The data structure in JSON: what the API answers with, and what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from auditlane.contract.field_definition import FieldType
from auditlane.query.structure.views import Origin
from auditlane.store.presentation import DisplayType, one_line

MAX_FIELDS: Final = 500  # fields of one request
_VIEW: Final = (
    "display_name",
    "display_type",
    "sortable",
    "filterable",
    "show_in_table",
    "show_in_more_info",
    "downloadable",
    "order",
)


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Request(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class ShownView(_Answer):
    """How a field is shown."""

    display_name: str = Field(examples=["Order"])
    display_type: DisplayType
    sortable: bool
    filterable: bool
    show_in_table: bool = Field(description="A column of the table.")
    show_in_more_info: bool = Field(description="Listed in an event's details.")
    downloadable: bool = Field(description="A column of exports.")
    order: int


class ShownField(ShownView):
    """One field as readers see it."""

    name: str = Field(examples=["order_number"])
    custom: bool = Field(description="Added to the event, as opposed to a field that every event has.")
    parameter: str = Field(description="Its name in a filter.", examples=["fields.order_number"])
    origin: Origin = Field(description="Who said last how it is shown.")
    inherited: ShownView | None = Field(
        description="How it is shown when this scope says nothing of it; null for a field of its own."
    )


class ShownStructure(_Answer):
    """A data structure. `enabled` is this scope's own switch, null when it inherits; `effectiveEnabled` what counts.

    `inheritedEnabled` is what counts when the scope's own is null.
    """

    tenant: str | None = Field(description="Null for the environment.")
    revision: int = Field(description="Of this scope; 0 when nobody changed anything.")
    enabled: bool | None
    effective_enabled: bool
    inherited_enabled: bool
    fields: list[ShownField]
    removed: list[ShownField] = Field(description="Removed fields; their data is kept, and POST …/fields restores one.")
    changed_by: str
    changed_at: datetime | None


class Rules(_Request):
    """What a value of a field must be; checked when an event is emitted and when it is stored."""

    model_config = ConfigDict(strict=True)

    required: bool | None = Field(None, description="Neither null nor empty.")
    max_length: int | None = Field(None, description="Characters of a text.")
    pattern: str | None = Field(
        None,
        description="RE2 syntax, the whole text; needs `maxLength`, of at most 4096.",
        examples=["[A-Z]{2}-[0-9]+"],
    )
    minimum: int | float | None = None
    maximum: int | float | None = None
    one_of: list[str | int | float] | None = Field(None, description="The values of an Enum, or of any text or number.")

    def stated(self) -> dict[str, Any]:
        """By the names of the contract's attributes."""
        return self.model_dump(by_alias=True, exclude_none=True)


class _Toggles(_Request):
    display_name: str | None = Field(None, min_length=1, max_length=200)
    sortable: bool | None = None
    filterable: bool | None = None
    show_in_table: bool | None = None
    show_in_more_info: bool | None = None
    downloadable: bool | None = None
    order: int | None = Field(None, ge=-1_000_000, le=1_000_000)

    @field_validator("display_name")
    @classmethod
    def _one_line(cls, value: str | None) -> str | None:
        """It becomes a heading of tables and files."""
        if value is not None and not one_line(value):
            raise ValueError("must have no line break or other control character")
        return value

    def view(self) -> dict[str, Any]:
        """What is said of how the field is shown."""
        return {name: value for name in _VIEW if (value := getattr(self, name, None)) is not None}


class StatedField(_Toggles):
    """How one field is to be shown; what is left out stays as it is."""

    name: str
    display_type: DisplayType | None = None
    custom: Any = Field(None, description="Ignored, so that an answer can be sent back.")
    parameter: Any = Field(None, description="Ignored.")
    origin: Any = Field(None, description="Ignored.")
    inherited: Any = Field(None, description="Ignored.")


class StatedStructure(_Request):
    """What is left out (`enabled`, `fields`, an attribute of a field) stays as it is; `enabled: null` inherits."""

    enabled: bool | None = None
    fields: list[StatedField] | None = Field(None, max_length=MAX_FIELDS)
    tenant: Any = Field(None, description="Ignored, so that an answer can be sent back.")
    revision: Any = Field(None, description="Ignored; the header If-Match counts.")
    effective_enabled: Any = Field(None, description="Ignored.")
    inherited_enabled: Any = Field(None, description="Ignored.")
    removed: Any = Field(None, description="Ignored.")
    changed_by: Any = Field(None, description="Ignored.")
    changed_at: Any = Field(None, description="Ignored.")


class ChangedField(_Toggles):
    """What is to be different about a field; what is left out stays as it is, an empty `rules` ends all of them."""

    type: FieldType | None = Field(None, description="A field's Avro type stays: text, number, time, boolean.")
    default: Any = Field(None, description="For events that do not carry the field; null ends the default.")
    rules: Rules | None = None
    exclusive: bool | None = Field(
        None,
        description="For a tenant: refuse, from now on, its events that are written with the base event. Unless said, "
        "that stays as it is, and a new contract does not.",
    )

    @field_validator("type", mode="before")
    @classmethod
    def _type(cls, value: Any) -> Any:
        """Upper and lower case alike; `string` is AlphaNumeric."""
        known: Mapping[str, FieldType] = {one.value.lower(): one for one in FieldType}
        known = {**known, "string": FieldType.AlphaNumeric, "text": FieldType.AlphaNumeric}
        return known.get(value.lower(), value) if isinstance(value, str) else value


class NewField(ChangedField):
    """A field to be added."""

    name: str = Field(description="In Avro and in filters: letters, digits, _.", examples=["order_number"])
    type: FieldType | None = FieldType.AlphaNumeric


class ContractField(_Answer):
    """A field as the contract has it. `shown` is false for one that was removed, or was never given a presentation."""

    name: str
    type: FieldType
    default: Any
    rules: dict[str, Any]
    shown: bool
    display_name: str | None


class Contract(_Answer):
    """What the events are written with from now on."""

    subject: str = Field(examples=["audit.events.acme-value"])
    version: int
    schema_id: int
    exclusive: bool = Field(description="Whether events written with the base event are refused.")
    fields: list[ContractField]


class Change(_Answer):
    """One field, or the switch, of one revision."""

    kind: str = Field(description="added, changed, removed, restored, reset (inherited again) or switched")
    field: str | None
    values: dict[str, tuple[Any, Any]] = Field(description="What was and what is, by attribute, inherited or not.")


class RevisionChanges(_Answer):
    """One saved revision. No changes: only the contract changed (a rule, a default)."""

    revision: int
    changed_by: str
    changed_at: datetime | None
    changes: list[Change]
    sequence: tuple[list[str], list[str]] | None = Field(
        description="When fields moved: the names of all that are shown, as they stood and as they stand."
    )
    labels: dict[str, str] = Field(description="What the fields that are named here were called from then on.")


class History(_Answer):
    """Revisions, newest first. `next` is the `before` of the next page, null at the end."""

    data: list[RevisionChanges]
    next: int | None
