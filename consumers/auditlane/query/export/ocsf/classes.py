"""The attributes of each OCSF class, other than those that all classes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from auditlane.query.export.formats import OcsfVersion
from auditlane.query.export.ocsf.activities import API_ACTIVITY
from auditlane.query.export.ocsf.objects import (
    PRINCIPALS,
    UNKNOWN,
    endpoint,
    entity,
    factors,
    given,
    is_factor,
    request,
    resource,
    subject,
    user,
)
from auditlane.query.export.ocsf.row import Attributes, Row


class Mapped(NamedTuple):
    """The values that determine the attributes of a class: the action, its activity, and the actor's user, which may be
    empty.
    """

    action: str
    activity_id: int
    by: Attributes
    event_id: str
    tenant_id: str
    source: str
    version: OcsfVersion

    @property
    def noun(self) -> str:
        """The part of the action before the dot."""
        return self.action.partition(".")[0]


Build = Callable[[Row, Mapped], Attributes]


@dataclass(frozen=True, slots=True)
class Shape:
    """The attributes of an OCSF class: its own, and which of the common attributes it has.

    A class that does not define an actor uses the one in the `host` profile.
    """

    build: Build
    actor: bool = True
    endpoint: bool = True
    request: bool = True


def _account(row: Row, mapped: Mapped) -> Attributes:
    return {"user": subject(row, mapped.by)} | given(auth_factors=factors(row.take_key("factor")))


def _authentication(row: Row, mapped: Mapped) -> Attributes:
    """Build Authentication, for which the schema requires a service or a destination."""
    session = row.take_key("session_id")
    if row.get("resource") == "session":
        row.take("resource")
        session = row.take("resource_id") or session
    second = row.key("mfa")
    made: Attributes = {"user": subject(row, mapped.by), "service": {"name": mapped.source or UNKNOWN}}
    if mapped.activity_id == _SWITCH:
        made |= {"account_switch_type_id": 2, "account_switch_type": "Impersonate"}
    if second:
        made["is_mfa"] = second not in _NO_FACTOR
    used = [row.take_key(key) for key in ("method", "mfa") if is_factor(row.key(key))]
    return made | given(session=given(uid=session), auth_factors=factors(*used))


def _entity(row: Row, mapped: Mapped) -> Attributes:
    """Build Entity Management, whose entity has the values before and after the change."""
    made = entity(row, mapped.noun)
    result = "entity_result" if mapped.version is OcsfVersion.v1_8_0 else "updated_entity"
    before, after = row.take_json("before"), row.take_json("after")
    changed = {result: made | {"data": after}} if after is not None else {}
    return {"entity": made | ({"data": before} if before is not None else {})} | changed


def _access(row: Row, mapped: Mapped) -> Attributes:
    """Build User Access Management, which requires privileges."""
    return {"user": subject(row, mapped.by), "privileges": _privileges(row), **_scope(row)}


def _group(row: Row, mapped: Mapped) -> Attributes:
    """Build Group Management. The resource is the group, or a user who joins or leaves the tenant."""
    if row.get("resource") in ("group", "team", ""):
        group = resource(row) or {"name": row.take_key("name", "group") or UNKNOWN}
        member = user(row.take_key("user"))
    else:
        member = subject(row, mapped.by)
        named = row.take_key("group")
        group = {"name": named} if named else {"uid": mapped.tenant_id, "type": "tenant"}
    if mapped.version is OcsfVersion.v1_8_0:
        return {"group": group} | given(user=member)
    return {"group": group} | given(users=[member] if member else [])


def _user(row: Row, mapped: Mapped) -> Attributes:
    if mapped.activity_id in _CREDENTIALS and row.get("resource") not in PRINCIPALS and row.get("resource_id"):
        credential = given(uid=row.take("resource_id"), type=row.take("resource"))
        return {"user": subject(row, mapped.by) | {"programmatic_credentials": [credential]}}
    made: Attributes = {"user": subject(row, mapped.by)}
    if mapped.activity_id in _ROLES:
        made |= given(iam_roles=[{"name": name} for name in row.take_list("role", "roles")])
    elif mapped.activity_id in _PRIVILEGES:
        made |= given(privileges=_privileges(row))
    return made | given(auth_factors=factors(row.take_key("factor"))) | _scope(row)


def _role(row: Row, mapped: Mapped) -> Attributes:
    if row.get("resource") == "role":
        row.take("resource")
    role = given(uid=row.take("resource_id"), name=row.take_key("name", "role")) or {"name": UNKNOWN}
    return {"iam_role": role} | given(privileges=_privileges(row))


def _web_resources(row: Row, mapped: Mapped) -> Attributes:
    return {"web_resources": [resource(row) or {"name": mapped.noun}]}


def _lifecycle(row: Row, mapped: Mapped) -> Attributes:
    """Build Application Lifecycle. If the resource is a service, it is the application."""
    name = row.take("resource_id") if row.get("resource") == "service" else ""
    if name:
        row.take("resource")
    return {"app": {"name": name or mapped.source or UNKNOWN} | given(version=row.take_key("version"))}


def _api(row: Row, mapped: Mapped) -> Attributes:
    """Build API Activity, which requires an actor and an endpoint."""
    api: Attributes = {"operation": mapped.action}
    if mapped.source:
        api["service"] = {"name": mapped.source}
    made: Attributes = {"api": api}
    if not mapped.by:
        made["actor"] = {"app_name": mapped.source or UNKNOWN}
    if not row.get("ip"):
        made["src_endpoint"] = {"name": UNKNOWN}
    if found := resource(row):
        made["resources"] = [found]
    return made


def _scan(row: Row, mapped: Mapped) -> Attributes:
    scan = {"uid": mapped.event_id, "name": mapped.action, "type_id": 0, "type": "Unknown"}
    return {"scan": scan} | given(num_detections=row.take_number("findings"))


def _log(row: Row, mapped: Mapped) -> Attributes:
    """Build Event Log Activity. The log is the resource if that is a log, and otherwise the tenant's log."""
    name = row.take("resource_id") if row.get("resource") in _LOGS else ""
    if row.get("resource") in _LOGS:
        row.take("resource")
    return {"log_name": name or mapped.tenant_id, "log_type_id": 2, "log_type": "Application"}


def _finding(row: Row, mapped: Mapped) -> Attributes:
    """Build Detection Finding. Its status is the finding's, not the action's."""
    kind = row.take_key("kind")
    info = {"uid": mapped.event_id, "title": kind or mapped.action} | given(types=[kind] if kind else [])
    found = resource(row)
    evidences = [{"src_endpoint": source} | given(http_request=request(row))] if (source := endpoint(row)) else []
    made: Attributes = {"finding_info": info, "is_alert": True, "status_id": 1, "status": "New"}
    return made | given(resources=[found] if found else [], evidences=evidences)


def _nothing(row: Row, mapped: Mapped) -> Attributes:
    """Return no attributes, for classes that need only the common attributes."""
    return {}


def _privileges(row: Row) -> list[str]:
    return row.take_list("role", "permission", "privileges", "scopes", "roles")


def _scope(row: Row) -> Attributes:
    """Take the target of the privileges (a resource that is not a principal) and their scope."""
    found = resource(row) if row.get("resource") not in PRINCIPALS else {}
    scope = row.take_key("scope")
    return given(resources=[*([found] if found else []), *([{"name": scope}] if scope else [])])


_SWITCH: Final = 7
_ROLES: Final = (16, 17)
_PRIVILEGES: Final = (14, 15)
_CREDENTIALS: Final = (18, 19)
_NO_FACTOR: Final = ("none", "false", "no", "0")
_LOGS: Final = ("log", "audit_log")
SHAPES: Final[Mapping[int, Shape]] = {
    1008: Shape(_log, request=False),
    2004: Shape(_finding, actor=False, endpoint=False, request=False),
    3001: Shape(_account),
    3002: Shape(_authentication),
    3004: Shape(_entity),
    3005: Shape(_access),
    3006: Shape(_group),
    3007: Shape(_user),
    3008: Shape(_role),
    6001: Shape(_web_resources, actor=False),
    6002: Shape(_lifecycle, actor=False, endpoint=False, request=False),
    API_ACTIVITY: Shape(_api),
    6007: Shape(_scan, actor=False, endpoint=False, request=False),
    6008: Shape(_nothing, actor=False, endpoint=False, request=False),
}
