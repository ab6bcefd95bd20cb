"""Defines an action of the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from auditlane.contract.event import OutcomeName, SeverityName

Group = Literal["user_management", "performance", "maintenance", "auditlane"]
Vendor = Literal["auth0", "clerk", "frontegg", "github", "google_workspace", "keycloak", "microsoft", "okta", "workos"]


class OcsfClass(NamedTuple):
    """A class of the Open Cybersecurity Schema Framework, and one of its activities."""

    class_uid: int
    activity_id: int


@dataclass(frozen=True, slots=True)
class MetadataKey:
    """A key in the metadata of an event.

    `values` contains the allowed strings, or is empty if any string is allowed. A `list` is comma-separated text, and a
    `time` is RFC 3339 text. A `masked` value is shortened before it is recorded, since it may identify a person or be a
    secret.
    """

    meaning: str
    values: tuple[str, ...] = ()
    kind: Literal["text", "number", "list", "time"] = "text"
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """An action: its name (`noun.past_participle`), its meaning in a sentence, and its events' content.

    `outcome`, `severity` and `resource` are an event's defaults. `required` and `optional` describe metadata by key. If
    `masks_changes`, `before` and `after` are shortened like a masked value. `aliases` contains other products' names,
    by vendor, in which `*` stands for any text. `log_access` marks reads of an audit log and the credentials for them,
    which readers do not see by default.
    """

    name: str
    meaning: str
    group: Group
    resource: str
    severity: SeverityName = "Info"
    outcome: OutcomeName = "success"
    required: Mapping[str, MetadataKey] = field(default_factory=dict)
    optional: Mapping[str, MetadataKey] = field(default_factory=dict)
    masks_changes: bool = False
    log_access: bool = False
    ocsf_1_8: OcsfClass | None = None
    ocsf_1_9: OcsfClass | None = None
    aliases: Mapping[Vendor, tuple[str, ...]] = field(default_factory=dict)

    @property
    def noun(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]

    @property
    def participle(self) -> str:
        """The part of the name after the dot."""
        return self.name.partition(".")[2]
