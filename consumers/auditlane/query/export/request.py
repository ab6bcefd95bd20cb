"""Parses an export request: its format and columns, and a filter from all other parameters."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from auditlane.access.scope import TenantScope
from auditlane.contract.sentence import LANGUAGES
from auditlane.query.export.columns import Column, choose, downloadable, of_ocsf, of_table, titled
from auditlane.query.export.formats import Dialect, Form, Format, OcsfVersion, Separator
from auditlane.query.export.sentences import DEFAULT, Sentences
from auditlane.query.fields import from_structure, parse_zone
from auditlane.query.filters import Filter, one_of, openapi_parameters, split
from auditlane.runtime.errors import InvalidFilter
from auditlane.store.structure_cache import Structure

FORMULAS: Final = ("neutralised", "raw")
OWN: Final = (
    "format",
    "columns",
    "titles",
    "formulas",
    "ocsf_version",
    "dialect",
    "separator",
    "zone",
    "language",
    "since",
)
SINCE: Final = ("all", "last")
MAX_TITLE_CHARS: Final = 200
StructureOf = Callable[[str], Structure]
Pair = tuple[str, str]

_COLUMNS: Final = (
    "Names of fields, separated by commas, in the order of the file: fields that the tenant's structure permits to "
    "download, `metadata.<key>`, `event_id`, `tenant_id`, `ingested_at`, and `sentence`, the event as a sentence. "
    "Default: all downloadable fields; in a PDF, those of the table."
)
_FORMULAS: Final = "CSV: whether a cell that a spreadsheet would run as a formula is prefixed with an apostrophe."
_TITLES: Final = (
    "Titles of the columns in the file, for instance in the reader's language, one for each name in `columns`"
)
_DIALECT: Final = (
    "CSV: `raw` for programs; `spreadsheet` begins with a byte order mark and writes times like `2026-11-28 18:49:20`."
)
_SEPARATOR: Final = "CSV: the character between two cells."
_ZONE: Final = "CSV for spreadsheets, Excel: the time zone (IANA) of the times."
_LANGUAGE: Final = "The language of the column `sentence`."
_SINCE: Final = (
    "`last`: only events stored since this person's last download of this search with `since`; `all`: all events. Both "
    "note where the download ended, once it is complete. Cannot be combined with `from` and `to`."
)
_OCSF_VERSION: Final = "OCSF: the version of the schema."
PARAMETERS: Final[dict[str, Any]] = openapi_parameters(
    format={"type": "string", "enum": list(Format), "required": True, "description": "The format of the file."},
    columns={"type": "string", "description": _COLUMNS, "examples": ["occurred_at,actor_name,action"]},
    titles={
        "type": "string",
        "description": f"{_TITLES}: a JSON array of strings.",
        "examples": ['["Zeit", "Akteur", "Aktion"]'],
    },
    formulas={"type": "string", "enum": list(FORMULAS), "default": FORMULAS[0], "description": _FORMULAS},
    dialect={"type": "string", "enum": list(Dialect), "default": Dialect.raw, "description": _DIALECT},
    separator={"type": "string", "enum": list(Separator), "default": Separator.comma, "description": _SEPARATOR},
    zone={"type": "string", "default": "UTC", "examples": ["Europe/Berlin"], "description": _ZONE},
    language={"type": "string", "enum": list(LANGUAGES), "default": LANGUAGES[0], "description": _LANGUAGE},
    since={"type": "string", "enum": list(SINCE), "description": _SINCE},
    ocsf_version={
        "type": "string",
        "enum": list(OcsfVersion),
        "default": OcsfVersion.v1_8_0,
        "description": _OCSF_VERSION,
    },
)


class ExportRequest(BaseModel):
    """The parameters of `GET /v1/export` as an object."""

    model_config = ConfigDict(extra="forbid")

    format: Format
    columns: list[str] | None = Field(None, min_length=1, description=_COLUMNS.replace(", separated by commas,", ""))
    titles: list[str] | None = Field(None, min_length=1, description=f"{_TITLES}.")
    formulas: str = Field(FORMULAS[0], json_schema_extra={"enum": list(FORMULAS)}, description=_FORMULAS)
    ocsf_version: OcsfVersion = Field(OcsfVersion.v1_8_0, description=_OCSF_VERSION)
    dialect: Dialect = Field(Dialect.raw, description=_DIALECT)
    separator: Separator = Field(Separator.comma, description=_SEPARATOR)
    zone: str = Field("UTC", examples=["Europe/Berlin"], description=_ZONE)
    language: str = Field(LANGUAGES[0], json_schema_extra={"enum": list(LANGUAGES)}, description=_LANGUAGE)
    since: Literal["all", "last"] | None = Field(None, description=_SINCE)
    filter: dict[str, str | list[str]] = Field(
        default_factory=dict,
        description="Any filters of `GET /v1/export`: names, each with one value or several alternatives.",
        examples=[{"action": ["login", "logout"], "from": "2026-01-01"}],
    )

    def pairs(self) -> list[Pair]:
        """Return the request as (name, value) pairs, like those of a query string."""
        own = [("format", self.format.value), ("formulas", self.formulas), ("ocsf_version", self.ocsf_version.value)]
        own += [("dialect", self.dialect.value), ("separator", self.separator.value), ("zone", self.zone)]
        own += [("language", self.language)]
        own += [("columns", ",".join(self.columns))] if self.columns else []
        own += [("titles", json.dumps(self.titles, ensure_ascii=False))] if self.titles else []
        own += [("since", self.since)] if self.since else []
        return own + list(_flat(self.filter))


def _flat(filter_: Mapping[str, str | list[str]]) -> Iterable[Pair]:
    for name, values in filter_.items():
        for value in [values] if isinstance(values, str) else values:
            yield f"filter.{name}" if name in OWN else name, value


@dataclass(frozen=True, slots=True)
class ExportSpec:
    """A valid export. `since` is a member of SINCE, or empty."""

    form: Form
    filter: Filter
    since: str = ""


def export_spec(pairs: Iterable[Pair], scope: TenantScope, structure_of: StructureOf) -> ExportSpec:
    """Parse the parameters of an export. Raises InvalidFilter, naming the parameter."""
    own, filter_ = split(pairs, OWN, from_structure(structure_of)(scope.tenant))
    format_ = Format(one_of("format", own.get("format"), tuple(Format)))
    formulas = one_of("formulas", own.get("formulas"), FORMULAS, FORMULAS[0])
    ocsf_version = one_of("ocsf_version", own.get("ocsf_version"), tuple(OcsfVersion), OcsfVersion.v1_8_0)
    dialect = one_of("dialect", own.get("dialect"), tuple(Dialect), Dialect.raw)
    separator = one_of("separator", own.get("separator"), tuple(Separator), Separator.comma)
    zone = parse_zone("zone", own.get("zone"))
    language = one_of("language", own.get("language"), LANGUAGES, LANGUAGES[0])
    structure = structure_of(scope.tenant)
    columns = titled(choose(structure, own.get("columns")), _titles(own.get("titles")))
    if format_ is Format.pdf and "columns" not in own:
        columns = of_table(columns)  # a page is too narrow for more
    if format_ is Format.ocsf:
        columns = of_ocsf(columns, structure)
    form = Form(
        format_,
        columns,
        formulas == "raw",
        OcsfVersion(ocsf_version),
        dialect=Dialect(dialect),
        separator=Separator(separator),
        zone=zone.key,
        sentences=sentences_of(columns, structure, language),
    )
    return ExportSpec(form, filter_, _since(own.get("since"), filter_))


def sentences_of(columns: Iterable[Column], structure: Structure, language: str) -> Sentences:
    """Return the settings for the column `sentence`. Sentences contain only downloadable fields."""
    if not any(column.is_sentence for column in columns):
        return DEFAULT
    readable = [(column.name, column.custom) for column in downloadable(structure)]
    return Sentences.of(language, structure.actions, readable)


def filter_of(pairs: Iterable[Pair], tenant: str, structure_of: StructureOf) -> Filter:
    """Build the filter from a job's query parameters, which were validated when the job was created."""
    return split(pairs, OWN, from_structure(structure_of)(tenant))[1]


def _titles(text: str | None) -> list[str] | None:
    if text is None:
        return None
    try:
        titles = json.loads(text)
    except (ValueError, RecursionError):
        titles = None
    if not isinstance(titles, list) or not all(isinstance(title, str) for title in titles):
        raise InvalidFilter(
            "'titles' is not a JSON array of strings.", field="titles", fix='Write it as ["Time","Actor"].'
        )
    for title in titles:
        if not title.strip() or len(title) > MAX_TITLE_CHARS or any(map(_is_control, title)):
            raise InvalidFilter(
                f"'titles' has an invalid title: {title[:60]!r}.",
                field="titles",
                fix=f"Use 1 to {MAX_TITLE_CHARS} characters, without control characters.",
            )
    return titles


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"


def _since(text: str | None, filter_: Filter) -> str:
    if text is None:
        return ""
    if filter_.since is not None or filter_.until is not None:
        raise InvalidFilter(
            "'since' cannot be combined with a time range: the next download would miss the events outside it.",
            field="since",
            fix="Omit 'from' and 'to', or 'since'.",
        )
    return one_of("since", text, SINCE)
