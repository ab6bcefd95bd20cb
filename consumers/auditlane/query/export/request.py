"""Parses a request for an export: format, columns, and a filter made of all other parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from auditlane.access.scope import TenantScope
from auditlane.query.export.columns import choose, of_ocsf, of_table
from auditlane.query.export.formats import Form, Format, OcsfVersion
from auditlane.query.fields import from_structure
from auditlane.query.filters import Filter, one_of, openapi_parameters, split
from auditlane.store.structure_cache import Structure

FORMULAS: Final = ("neutralised", "raw")
OWN: Final = ("format", "columns", "formulas", "ocsf_version")
StructureOf = Callable[[str], Structure]
Pair = tuple[str, str]

_COLUMNS: Final = (
    "Names of fields, separated by commas, in the order of the file: fields that the tenant's structure permits to "
    "download, and `event_id`, `tenant_id`, `ingested_at`. Default: all downloadable fields; "
    "in a PDF, those of the table."
)
_FORMULAS: Final = "CSV: whether a cell that a spreadsheet would run as a formula is prefixed with an apostrophe."
_OCSF_VERSION: Final = "OCSF: the version of the schema."
PARAMETERS: Final[dict[str, Any]] = openapi_parameters(
    format={"type": "string", "enum": list(Format), "required": True, "description": "The format of the file."},
    columns={"type": "string", "description": _COLUMNS, "examples": ["occurred_at,actor_name,action"]},
    formulas={"type": "string", "enum": list(FORMULAS), "default": FORMULAS[0], "description": _FORMULAS},
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
    formulas: str = Field(FORMULAS[0], json_schema_extra={"enum": list(FORMULAS)}, description=_FORMULAS)
    ocsf_version: OcsfVersion = Field(OcsfVersion.v1_8_0, description=_OCSF_VERSION)
    filter: dict[str, str | list[str]] = Field(
        default_factory=dict,
        description="Any filters of `GET /v1/export`: names, each with one value or several alternatives.",
        examples=[{"action": ["login", "logout"], "from": "2026-01-01"}],
    )

    def pairs(self) -> list[Pair]:
        """Return the request as (name, value) pairs, as in a query string."""
        own = [("format", self.format.value), ("formulas", self.formulas), ("ocsf_version", self.ocsf_version.value)]
        own += [("columns", ",".join(self.columns))] if self.columns else []
        return own + list(_flat(self.filter))


def _flat(filter_: Mapping[str, str | list[str]]) -> Iterable[Pair]:
    for name, values in filter_.items():
        for value in [values] if isinstance(values, str) else values:
            yield f"filter.{name}" if name in OWN else name, value


@dataclass(frozen=True, slots=True)
class ExportSpec:
    """A valid export."""

    form: Form
    filter: Filter


def export_spec(pairs: Iterable[Pair], scope: TenantScope, structure_of: StructureOf) -> ExportSpec:
    """Parse the pairs of an export. Raises InvalidFilter, naming the parameter."""
    own, filter_ = split(pairs, OWN, from_structure(structure_of)(scope.tenant))
    format_ = Format(one_of("format", own.get("format"), tuple(Format)))
    formulas = one_of("formulas", own.get("formulas"), FORMULAS, FORMULAS[0])
    ocsf_version = one_of("ocsf_version", own.get("ocsf_version"), tuple(OcsfVersion), OcsfVersion.v1_8_0)
    structure = structure_of(scope.tenant)
    columns = choose(structure, own.get("columns"))
    if format_ is Format.pdf and "columns" not in own:
        columns = of_table(columns)  # a page is not wide enough for more
    if format_ is Format.ocsf:
        columns = of_ocsf(columns, structure)
    return ExportSpec(Form(format_, columns, formulas == "raw", OcsfVersion(ocsf_version)), filter_)


def filter_of(pairs: Iterable[Pair], tenant: str, structure_of: StructureOf) -> Filter:
    """Return the filter of a job's pairs, which were valid when it was created."""
    return split(pairs, OWN, from_structure(structure_of)(tenant))[1]
