"""What a request for an export asks for: format, columns, and the filter of all its other parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from auditlane.access.scope import TenantScope
from auditlane.query.export.columns import choose, of_table
from auditlane.query.export.formats import Form, Format
from auditlane.query.filters import Filter
from auditlane.query.language.fields import from_structure
from auditlane.query.parameters import one_of, openapi_parameters, split
from auditlane.store.structure_cache import Structure

FORMULAS: Final = ("neutralised", "raw")
OWN: Final = ("format", "columns", "formulas")
StructureOf = Callable[[str], Structure]
Pair = tuple[str, str]

_COLUMNS: Final = (
    "Names of fields, separated by commas, in the order of the file: of those that the log's structure lets be "
    "downloaded, and `event_id`, `tenant_id`, `ingested_at`. Absent: all that may be downloaded; "
    "in a PDF those of the table."
)
_FORMULAS: Final = "CSV: whether a cell that a spreadsheet would run as a formula gets an apostrophe before it."
PARAMETERS: Final[dict[str, Any]] = openapi_parameters(
    format={"type": "string", "enum": list(Format), "required": True, "description": "The file's format."},
    columns={"type": "string", "description": _COLUMNS, "examples": ["occurred_at,actor_name,action"]},
    formulas={"type": "string", "enum": list(FORMULAS), "default": FORMULAS[0], "description": _FORMULAS},
)


class ExportRequest(BaseModel):
    """The same as the parameters of `GET /v1/export`, as an object."""

    model_config = ConfigDict(extra="forbid")

    format: Format
    columns: list[str] | None = Field(None, min_length=1, description=_COLUMNS.replace(", separated by commas,", ""))
    formulas: str = Field(FORMULAS[0], json_schema_extra={"enum": list(FORMULAS)}, description=_FORMULAS)
    filter: dict[str, str | list[str]] = Field(
        default_factory=dict,
        description="Any filter of `GET /v1/export`: its name, and a value or several of which any may match.",
        examples=[{"action": ["login", "logout"], "from": "2026-01-01"}],
    )

    def pairs(self) -> list[Pair]:
        """As names and values, like a query string's."""
        own = [("format", self.format.value), ("formulas", self.formulas)]
        own += [("columns", ",".join(self.columns))] if self.columns else []
        return own + list(_flat(self.filter))


def _flat(filter_: Mapping[str, str | list[str]]) -> Iterable[Pair]:
    for name, values in filter_.items():
        for value in [values] if isinstance(values, str) else values:
            yield f"filter.{name}" if name in OWN else name, value


@dataclass(frozen=True, slots=True)
class ExportSpec:
    """An export that can be made."""

    form: Form
    filter: Filter


def export_spec(pairs: Iterable[Pair], scope: TenantScope, structure_of: StructureOf) -> ExportSpec:
    """What the pairs ask for. Raises InvalidFilter that names the parameter."""
    own, filter_ = split(pairs, OWN, from_structure(structure_of)(scope.tenant))
    format_ = Format(one_of("format", own.get("format"), tuple(Format)))
    formulas = one_of("formulas", own.get("formulas"), FORMULAS, FORMULAS[0])
    columns = choose(structure_of(scope.tenant), own.get("columns"))
    if format_ is Format.pdf and "columns" not in own:
        columns = of_table(columns)  # a page has no room for more
    return ExportSpec(Form(format_, columns, formulas == "raw"), filter_)


def filter_of(pairs: Iterable[Pair], tenant: str, structure_of: StructureOf) -> Filter:
    """The filter of pairs that were fine once, for a job that goes on."""
    return split(pairs, OWN, from_structure(structure_of)(tenant))[1]
