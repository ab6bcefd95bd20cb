"""The data structure that readers see: rows of the table `settings`, one per revision. A tenant's rows override the
environment's.
"""

from __future__ import annotations

import json
import unicodedata
import uuid
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from auditlane.runtime.errors import Conflict
from auditlane.store.client import store_errors

ENVIRONMENT: Final = "environment"
_NEVER: Final = 2**63  # higher than any revision


def tenant_scope(tenant: str) -> str:
    """Return the scope of a tenant's own rows."""
    return f"tenant:{tenant}"


class DisplayType(StrEnum):
    """How a value is displayed and compared."""

    Timestamp = "Timestamp"
    Email = "Email"
    AlphaNumeric = "AlphaNumeric"
    IpAddress = "IpAddress"
    Severity = "Severity"
    Json = "Json"
    Number = "Number"
    Boolean = "Boolean"


class FieldView(BaseModel):
    """One field as displayed to readers. `name` names a base field, or a custom field in the tenant's contract.

    `hidden` marks a removed field, whose data is kept. None inherits the value from the scope below. `links` maps a
    resource's type to the template of a link to the application's pages. Only the field `resource` has links.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    name: str = Field(min_length=1)
    display_name: str = Field(min_length=1)
    display_type: DisplayType = DisplayType.AlphaNumeric
    sortable: bool = False
    filterable: bool = True
    show_in_table: bool = True
    show_in_more_info: bool = True
    downloadable: bool = True
    order: int = 0
    hidden: bool | None = None
    links: dict[str, str] = Field(default_factory=dict)

    @property
    def custom(self) -> bool:
        """Whether the field's values are in the map `fields` rather than in a separate column."""
        return self.name not in _BASE

    @property
    def parameter(self) -> str:
        """The field's name in a filter: a column, or `fields.<name>`."""
        return f"fields.{self.name}" if self.custom else self.name


class ActionLabel(BaseModel):
    """A text of an action in each interface language: its label, or its sentence's template."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    en: str
    de: str


class NamedAction(BaseModel):
    """An action to which the environment has given its own label. `name` is the event's `action`.

    `sentence` and `attempted` are its sentence's templates (`contract.sentence`). None means the default.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    label: ActionLabel
    sentence: ActionLabel | None = None
    attempted: ActionLabel | None = None


class Revision(BaseModel):
    """One saved state of a scope. Revision 0 means that none has been saved. If `enabled` is None, it is inherited.

    Only the environment has `actions`, sorted by name.
    """

    model_config = ConfigDict(frozen=True)

    scope: str
    revision: int = 0
    enabled: bool | None = None
    fields: tuple[FieldView, ...] = ()
    actions: tuple[NamedAction, ...] = ()
    changed_by: str = ""
    changed_at: datetime | None = None


DEFAULT_FIELDS: Final = tuple(
    FieldView(name=name, display_name=label, display_type=kind, show_in_table=table, sortable=sort, order=place)
    for place, (name, label, kind, table, sort) in enumerate(
        (
            ("occurred_at", "Time", DisplayType.Timestamp, True, True),
            ("actor_name", "Actor", DisplayType.AlphaNumeric, True, False),
            ("action", "Action", DisplayType.AlphaNumeric, True, False),
            ("resource", "Resource", DisplayType.AlphaNumeric, True, False),
            ("outcome", "Outcome", DisplayType.AlphaNumeric, True, False),
            ("severity", "Severity", DisplayType.Severity, True, False),
            ("ip", "IP address", DisplayType.IpAddress, True, False),
            ("description", "Description", DisplayType.AlphaNumeric, False, False),
            ("actor_id", "Actor ID", DisplayType.AlphaNumeric, False, False),
            ("actor_type", "Actor type", DisplayType.AlphaNumeric, False, False),
            ("on_behalf_of", "On behalf of", DisplayType.AlphaNumeric, False, False),
            ("resource_id", "Resource ID", DisplayType.AlphaNumeric, False, False),
            ("user_agent", "User agent", DisplayType.AlphaNumeric, False, False),
            ("request_id", "Request ID", DisplayType.AlphaNumeric, False, False),
            ("source", "Source", DisplayType.AlphaNumeric, False, False),
            ("before", "Before", DisplayType.Json, False, False),
            ("after", "After", DisplayType.Json, False, False),
            ("metadata", "Metadata", DisplayType.Json, False, False),
            ("provenance", "Received via", DisplayType.AlphaNumeric, False, False),
            ("provenance_id", "Received from", DisplayType.AlphaNumeric, False, False),
        )
    )
)
_STORED: Final = frozenset(to_camel(name) for name in FieldView.model_fields)
# Fields that senders cannot set, and that are not part of a sent event.
PROVENANCE: Final = ("provenance", "provenance_id")
_BASE: Final = frozenset(
    {"event_id", "tenant_id", "ingested_at", "content_hash"} | {field.name for field in DEFAULT_FIELDS}
)


def one_line(name: str) -> bool:
    """Return whether a display name has no control characters or line separators."""
    return not any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in name)


def overlay(environment: Revision, tenant: Revision) -> tuple[bool, list[FieldView]]:
    """Return whether the log is enabled for the tenant's readers, and its fields in display order.

    The tenant overrides the environment, which overrides the defaults. Hidden fields are included and marked.
    """
    fields = {field.name: field for field in DEFAULT_FIELDS}
    for revision in (environment, tenant):
        for field in revision.fields:
            below = fields.get(field.name)
            if field.hidden is None and below is not None and below.hidden is not None:
                field = field.model_copy(update={"hidden": below.hidden})
            fields[field.name] = field
    stated = [enabled for enabled in (tenant.enabled, environment.enabled) if enabled is not None]
    return (stated[0] if stated else True), sorted(fields.values(), key=lambda field: (field.order, field.name))


def load(client: Client, database: str, scope: str) -> Revision:
    """Return a scope's newest revision, or revision 0 if none has been saved."""
    return load_many(client, database, [scope])[scope]


def load_many(client: Client, database: str, scopes: Collection[str]) -> dict[str, Revision]:
    """Return each scope's newest revision, or revision 0 if none has been saved, in one query."""
    with store_errors():
        rows = client.query(
            "SELECT scope, revision, enabled, fields, actions, changed_by, changed_at "
            "FROM {database:Identifier}.settings "
            "WHERE scope IN {scopes:Array(String)} ORDER BY revision DESC LIMIT 1 BY scope",
            parameters={"database": database, "scopes": list(scopes)},
        ).result_rows
    return {scope: Revision(scope=scope) for scope in scopes} | {row[0]: _revision(row) for row in rows}


def history(client: Client, database: str, scope: str, *, limit: int, before: int | None = None) -> list[Revision]:
    """Return the scope's revisions below `before`, newest first."""
    with store_errors():
        rows = client.query(
            "SELECT scope, revision, enabled, fields, actions, changed_by, changed_at "
            "FROM {database:Identifier}.settings "
            "WHERE scope = {scope:String} AND revision < {before:UInt64} ORDER BY revision DESC LIMIT {limit:UInt32}",
            parameters={
                "database": database,
                "scope": scope,
                "before": _NEVER if before is None else before,
                "limit": limit,
            },
        ).result_rows
    return [_revision(row) for row in rows]


def as_of(client: Client, database: str, scope: str, times: Sequence[datetime]) -> list[Revision]:
    """Return the scope's newest revision at each of these times, in the same order."""
    if not times:
        return []
    with store_errors():
        rows = client.query(
            "WITH (SELECT max(revision) FROM {database:Identifier}.settings WHERE scope = {scope:String} "
            "AND toUnixTimestamp64Milli(changed_at) <= {oldest:Int64}) AS first "
            "SELECT scope, revision, enabled, fields, actions, changed_by, changed_at "
            "FROM {database:Identifier}.settings "
            "WHERE scope = {scope:String} AND revision >= first "
            "AND toUnixTimestamp64Milli(changed_at) <= {newest:Int64} ORDER BY revision DESC",
            parameters={"database": database, "scope": scope, "oldest": _ms(min(times)), "newest": _ms(max(times))},
        ).result_rows
    revisions = [*map(_revision, rows), Revision(scope=scope)]
    return [next(past for past in revisions if past.changed_at is None or past.changed_at <= time) for time in times]


def _ms(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _revision(row: Sequence[Any]) -> Revision:
    scope, revision, enabled, fields, actions, changed_by, changed_at = row
    return Revision(
        scope=scope,
        revision=revision,
        enabled=enabled,
        fields=tuple(map(_view, json.loads(fields))),
        actions=tuple(map(NamedAction.model_validate, json.loads(actions))),
        changed_by=changed_by,
        changed_at=changed_at.replace(tzinfo=UTC),  # the client returns UTC without a time zone
    )


def _view(stored: dict[str, Any]) -> FieldView:
    """Parse a stored field. Members that only a newer version knows are ignored."""
    return FieldView.model_validate({name: value for name, value in stored.items() if name in _STORED})


def save(client: Client, database: str, seen: Revision, new: Revision, *, now: datetime) -> Revision:
    """Save `new` as the revision after `seen`. Raises Conflict if another caller has already saved that revision.

    All callers insert under the same deduplication token, so only one row is stored. Its `save_id` identifies the
    caller.
    """
    revision, save_id = seen.revision + 1, uuid.uuid4()
    fields = json.dumps([field.model_dump(by_alias=True, mode="json") for field in new.fields])
    actions = json.dumps([action.model_dump(mode="json") for action in new.actions])
    with store_errors():
        client.insert(
            "settings",
            [[seen.scope, revision, save_id, new.enabled, fields, actions, new.changed_by, now]],
            column_names=["scope", "revision", "save_id", "enabled", "fields", "actions", "changed_by", "changed_at"],
            database=database,
            settings={"insert_deduplication_token": f"{seen.scope}:{revision}"},
        )
        rows = client.query(
            "SELECT save_id FROM {database:Identifier}.settings WHERE scope = {scope:String} "
            "AND revision = {revision:UInt64}",
            parameters={"database": database, "scope": seen.scope, "revision": revision},
        ).result_rows
    if [row[0] for row in rows] != [save_id]:
        raise Conflict(
            f"The settings of {seen.scope} were changed by another user in the meantime.",
            fix="Reload them, then repeat the change.",
        )
    return new.model_copy(update={"scope": seen.scope, "revision": revision, "changed_at": now})
