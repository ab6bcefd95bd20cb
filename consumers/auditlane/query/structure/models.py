"""The requests and responses of the data structure API in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from auditlane.contract.field_definition import FieldType
from auditlane.contract.sentence import template_problem
from auditlane.query.structure.actions import MAX_ACTIONS
from auditlane.query.structure.links import FIELD as LINKED_FIELD
from auditlane.query.structure.links import MAX_LINKS, link_problem
from auditlane.query.structure.views import Origin
from auditlane.store.presentation import ActionLabel, DisplayType, NamedAction, one_line

MAX_FIELDS: Final = 500  # maximum number of fields in one request
_VIEW: Final = (
    "display_name",
    "display_type",
    "sortable",
    "filterable",
    "show_in_table",
    "show_in_more_info",
    "downloadable",
    "order",
    "links",
)


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Request(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class FieldPresentation(_Answer):
    """How a field is shown."""

    display_name: str = Field(examples=["Order"])
    display_type: DisplayType
    sortable: bool
    filterable: bool
    show_in_table: bool = Field(description="Whether the field is a column of the table.")
    show_in_more_info: bool = Field(description="Whether an event's details list it.")
    downloadable: bool = Field(description="Whether exports contain the field.")
    order: int
    links: dict[str, str] = Field(
        default_factory=dict,
        description="Only for `resource`: templates of links to the application's pages, by the resource's type.",
        examples=[{"document": "https://app.example/documents/{resource_id}"}],
    )


class StructureField(FieldPresentation):
    """One field as readers see it."""

    name: str = Field(examples=["order_number"])
    custom: bool = Field(description="True for a custom field, false for a base field.")
    parameter: str = Field(description="The name in a filter.", examples=["fields.order_number"])
    origin: Origin = Field(description="The scope that determines how the field is shown.")
    inherited: FieldPresentation | None = Field(
        description="How the field is shown without settings of this scope; null for the scope's own field."
    )


class DataStructure(_Answer):
    """A data structure. `enabled` is this scope's own switch, or null if inherited. `effectiveEnabled` is the switch in
    effect, and `inheritedEnabled` applies while the scope's own is null.
    """

    tenant: str | None = Field(description="Null for the environment.")
    revision: int = Field(description="The revision of this scope; 0 if it was never changed.")
    enabled: bool | None
    effective_enabled: bool
    inherited_enabled: bool
    fields: list[StructureField]
    removed: list[StructureField] = Field(
        description="Removed fields; their data is kept, and POST …/fields restores one."
    )
    changed_by: str
    changed_at: datetime | None


class Rules(_Request):
    """Rules for a field's values, checked when an event is emitted and when it is stored."""

    model_config = ConfigDict(strict=True)

    required: bool | None = Field(None, description="The value must not be null or empty.")
    max_length: int | None = Field(None, description="The maximum number of characters in a string.")
    pattern: str | None = Field(
        None,
        description="RE2 syntax, matched against the whole value; requires a `maxLength` of at most 4096.",
        examples=["[A-Z]{2}-[0-9]+"],
    )
    minimum: int | float | None = None
    maximum: int | float | None = None
    one_of: list[str | int | float] | None = Field(
        None, description="The permitted values of an Enum, a string or a number."
    )

    def stated(self) -> dict[str, Any]:
        """Return the rules that are set, keyed by their attribute names in the contract."""
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
        if value is not None and not one_line(value):
            raise ValueError("must have no line break or other control character")
        return value

    def view(self) -> dict[str, Any]:
        """Return the presentation attributes that are set."""
        return {name: value for name in _VIEW if (value := getattr(self, name, None)) is not None}


def _link(value: str) -> str:
    if problem := link_problem(value):
        raise ValueError(problem)
    return value


class StructureFieldUpdate(_Toggles):
    """How a field is shown. Omitted attributes stay unchanged."""

    name: str
    display_type: DisplayType | None = None
    links: dict[str, Annotated[str, Field(max_length=1_000), AfterValidator(_link)]] | None = Field(
        None,
        max_length=MAX_LINKS,
        description="Only for `resource`: templates of links by the resource's type; https, with `{resource_id}`.",
    )
    custom: Any = Field(None, description="Ignored, so that a response can be sent back.")
    parameter: Any = Field(None, description="Ignored.")
    origin: Any = Field(None, description="Ignored.")
    inherited: Any = Field(None, description="Ignored.")

    @model_validator(mode="after")
    def _links_of_resource(self) -> Self:
        """Reject links on any field other than the resource."""
        if self.links and self.name != LINKED_FIELD:
            raise ValueError(f"links belong to the field {LINKED_FIELD}, not to {self.name}")
        return self


class DataStructureUpdate(_Request):
    """A change to the data structure. Omitted members (`enabled`, `fields`, an attribute of a field) stay unchanged.
    With `enabled: null`, the switch is inherited.
    """

    enabled: bool | None = None
    fields: list[StructureFieldUpdate] | None = Field(None, max_length=MAX_FIELDS)
    tenant: Any = Field(None, description="Ignored, so that a response can be sent back.")
    revision: Any = Field(None, description="Ignored; the header If-Match names the revision.")
    effective_enabled: Any = Field(None, description="Ignored.")
    inherited_enabled: Any = Field(None, description="Ignored.")
    removed: Any = Field(None, description="Ignored.")
    changed_by: Any = Field(None, description="Ignored.")
    changed_at: Any = Field(None, description="Ignored.")


class ChangedField(_Toggles):
    """Changes to a field. Omitted attributes stay unchanged, and an empty `rules` removes all rules."""

    type: FieldType | None = Field(
        None, description="The Avro type of an existing field (text, number, time, boolean) cannot change."
    )
    default: Any = Field(None, description="The value for events without the field; null removes the default.")
    rules: Rules | None = None
    exclusive: bool | None = Field(
        None,
        description="For a tenant: whether to reject its events that are written with the base event. If omitted, it "
        "stays unchanged, and is false for a new contract.",
    )

    @field_validator("type", mode="before")
    @classmethod
    def _type(cls, value: Any) -> Any:
        known: Mapping[str, FieldType] = {type_.value.lower(): type_ for type_ in FieldType}
        known = {**known, "string": FieldType.AlphaNumeric, "text": FieldType.AlphaNumeric}
        return known.get(value.lower(), value) if isinstance(value, str) else value


class NewField(ChangedField):
    """A field to add."""

    name: str = Field(description="The name in Avro and in filters: letters, digits, _.", examples=["order_number"])
    type: FieldType | None = FieldType.AlphaNumeric


class ContractField(_Answer):
    """A field of the contract. `shown` is false for a field that was removed, or that never had a presentation."""

    name: str
    type: FieldType
    default: Any
    rules: dict[str, Any]
    shown: bool
    display_name: str | None


class Contract(_Answer):
    """The contract for events from now on."""

    subject: str = Field(examples=["audit.events.acme-value"])
    version: int
    schema_id: int
    exclusive: bool = Field(description="Whether events written with the base event are rejected.")
    fields: list[ContractField]


class Change(_Answer):
    """One change in a revision: to a field, an action's label, or whether the log is enabled."""

    kind: str = Field(description="added, changed, removed, restored, reset (inherited again) or switched")
    field: str | None = Field(description="Null for an action and for the switch.")
    action: str | None = Field(None, description="The action whose label was added, changed or removed.")
    values: dict[str, tuple[Any, Any]] = Field(description="(old, new) by attribute, including inherited values.")


class RevisionChanges(_Answer):
    """A saved revision. Without changes, only the contract has changed, for example a rule or a default."""

    revision: int
    changed_by: str
    changed_at: datetime | None
    changes: list[Change]
    sequence: tuple[list[str], list[str]] | None = Field(
        description="If fields moved: the names of all shown fields in the old and in the new order."
    )
    labels: dict[str, str] = Field(description="The display names, from this revision on, of the fields named here.")


class History(_Answer):
    """Revisions, newest first. `next` is the value of `before` for the next page, or null at the end."""

    data: list[RevisionChanges]
    next: int | None


def _one_line(value: str) -> str:
    if not one_line(value):
        raise ValueError("must have no line break or other control character")
    if value != value.strip():
        raise ValueError("must not begin or end with a space")
    return value


def _action_name(value: str) -> str:
    if "/" in value or not value.strip("."):
        raise ValueError("must have no slash, and a character other than a dot")
    return value


Label = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_one_line)]
ActionName = Annotated[
    str, Field(min_length=1, max_length=200), AfterValidator(_one_line), AfterValidator(_action_name)
]


class Labels(_Request):
    """An action's label in each interface language."""

    en: Label = Field(description="English.", examples=["Document deleted"])
    de: Label = Field(description="German.", examples=["Dokument gelöscht"])


def _template(value: str) -> str:
    if problem := template_problem(value):
        raise ValueError(problem)
    return value


Template = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_one_line), AfterValidator(_template)]


class Templates(_Request):
    """A sentence with placeholders in each interface language."""

    en: Template = Field(description="English.", examples=["{actor} deleted document {resource_id}"])
    de: Template = Field(description="German.", examples=["{actor} hat Dokument {resource_id} gelöscht"])


class LabelledAction(_Request):
    """An action to label. A built-in action gets another label. An omitted template stays unchanged; null removes
    it.
    """

    name: ActionName = Field(description="The `action` of events.", examples=["document.deleted"])
    label: Labels
    sentence: Templates | None = Field(None, description="The sentence of an event; null for the default.")
    attempted: Templates | None = Field(
        None, description="The sentence of an event that failed or was denied; null for the default."
    )

    def stored(self, own: Iterable[NamedAction] = ()) -> NamedAction:
        """Return the action as it is stored. Omitted templates are taken from `own`, the environment's actions."""
        given = {name: getattr(self, name) for name in ("sentence", "attempted") if name in self.model_fields_set}
        here = next((action for action in own if action.name == self.name), None)
        kept = here.model_dump(include={"sentence", "attempted"}) if here else {}
        label = ActionLabel(en=self.label.en, de=self.label.de)
        stated = {name: None if text is None else text.model_dump() for name, text in given.items()}
        return NamedAction.model_validate({"name": self.name, "label": label} | kept | stated)


class LabelledActions(_Request):
    """Actions to add, or to give another label. All other actions stay unchanged."""

    actions: list[LabelledAction] = Field(min_length=1, max_length=MAX_ACTIONS)


class CatalogueLabel(_Answer):
    """An action's label in each interface language."""

    en: str
    de: str


class CatalogueAction(_Answer):
    """An action with its label and its sentences."""

    name: str = Field(description="The `action` of events.", examples=["user.login_failed"])
    label: CatalogueLabel
    own: bool = Field(description="Whether the label is the environment's own, perhaps in place of a built-in one.")
    built_in: bool = Field(description="Whether the action has a built-in label.")
    sentence: CatalogueLabel | None = Field(description="The template of its sentence; null for the default.")
    attempted: CatalogueLabel | None = Field(
        description="The template of an event that failed or was denied; null for the default."
    )


class LanguageGrammar(_Answer):
    """One language's default sentences. Templates are pairs of (done, attempted)."""

    neutral: tuple[str, str]
    verbs: dict[str, tuple[str, str]] = Field(description="By the last part of an action's name.")
    nouns: dict[str, tuple[str, str]] = Field(description="(noun, indefinite phrase) by a resource's type.")
    articles: list[tuple[str, str]] = Field(description="(pattern, indefinite phrase) of other types; the first match.")
    actors: dict[str, str] = Field(description="The actor by its type, if it has neither name nor ID.")
    nobody: str
    nothing: str


class Catalogue(_Answer):
    """The known actions by name. Events may also have any other action."""

    actions: list[CatalogueAction]
    grammar: dict[str, LanguageGrammar] = Field(description="The default sentences by language (`en`, `de`).")
