"""Converts AWS CloudTrail records into audit events, and back without loss.

Members that can be derived from the event (`_from_columns`) are not stored twice. All others are stored in metadata.
Text is stored unchanged under its name, and other values as JSON under `<name>:json`. `cloudtrail:absent` lists
derivable members that the record lacked. A record that cannot be represented exactly this way is stored as text in
`cloudtrail:record`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from auditlane.contract.event import AuditEvent, Outcome, parse_ip
from auditlane.contract.tenants import check_tenant
from auditlane.importer import documents
from auditlane.importer.json_text import parse_object
from auditlane.importer.line_counter import LineCounter
from auditlane.importer.sources import Item, Source
from auditlane.runtime.errors import InvalidEvent
from auditlane.runtime.ids import uuid5

SOURCE: Final = "cloudtrail"
_JSON: Final = ":json"
_OURS: Final = "cloudtrail:"
_ABSENT: Final = f"{_OURS}absent"
_RECORD: Final = f"{_OURS}record"
_UNNAMED: Final = "Unknown"
_DENIED: Final = ("AccessDenied", "Unauthorized", "Forbidden", "AuthFailure", "NotAuthorized")
_PEOPLE: Final = frozenset({"Root", "IAMUser", "AssumedRole", "Role", "FederatedUser", "SAMLUser", "WebIdentityUser"})


class CloudTrail:
    """Reads CloudTrail records in lines, in arrays, or in the envelopes of CloudTrail and of services that deliver
    them.
    """

    unit = "record"

    def __init__(self, tenant: str | None = None) -> None:
        """Assign all records to `tenant`, or each to its AWS account by default."""
        self._tenant = tenant
        self._line_counter = LineCounter()

    def items(self, source: Source) -> Iterator[Item]:
        return documents.records(source)

    def skip(self, item: Item) -> None:
        self._line_counter.next(item.text)

    def event(self, item: Item) -> AuditEvent:
        try:
            record = parse_object(item, parse_float=_float, parse_int=_int, object_pairs_hook=_pairs)
            whole = ""
        except _Inexact:
            record, whole = parse_object(item), item.text.decode()
        tenant = check_tenant(self._tenant or _tenant(record), ours=True)
        event_id = _event_id(record, tenant) or uuid5(tenant, SOURCE, *self._line_counter.next(item.text))
        values = _columns(record) | {"event_id": event_id, "tenant_id": tenant}
        event = AuditEvent.checked(values)
        metadata = {_RECORD: whole} if whole else _metadata(record, event)
        if metadata is None:
            metadata = {_RECORD: item.text.decode()}
        return event.model_copy(update={"metadata": metadata})


def rebuild(event: AuditEvent) -> dict[str, Any]:
    """Rebuild the record behind an imported event, even if the event was read back from the store."""
    metadata = dict(event.metadata)
    if _RECORD in metadata:
        record: dict[str, Any] = json.loads(metadata[_RECORD])
        return record
    absent = json.loads(metadata.pop(_ABSENT, "[]"))
    derived = {name: value for name, value in _from_columns(event).items() if name not in absent}
    return derived | dict(_kept(name, text) for name, text in metadata.items())


def _kept(name: str, text: str) -> tuple[str, Any]:
    return (name.removesuffix(_JSON), json.loads(text)) if name.endswith(_JSON) else (name, text)


def _from_columns(event: AuditEvent) -> dict[str, Any]:
    """Derive the record's members from the event's columns, even after the store has normalized an address."""
    derived: dict[str, str | None] = {
        "eventID": event.event_id,
        "eventTime": event.occurred_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventName": event.action,
        "eventSource": event.resource or None,
        "recipientAccountId": event.tenant_id,
        "sourceIPAddress": _canonical(event.ip),
        "userAgent": event.user_agent,
        "requestID": event.request_id,
        "errorMessage": event.description,
    }
    return {name: value for name, value in derived.items() if value is not None}


def _metadata(record: Mapping[str, Any], event: AuditEvent) -> dict[str, str] | None:
    """Return the members that the columns do not contain, as metadata. Returns None if a name is not a valid metadata
    key.
    """
    derived = _from_columns(event)
    kept: dict[str, str] = {}
    for name, value in record.items():
        if name.startswith(_OURS) or not _encodable(name):
            return None
        if name in derived and derived[name] == value:
            continue
        if isinstance(value, str) and _encodable(value) and not name.endswith(_JSON):
            kept[name] = value
        else:
            kept[name + _JSON] = _dumped(value)
    absent = [name for name in derived if name not in record]
    return kept | ({_ABSENT: json.dumps(absent)} if absent else {})


def _dumped(value: Any) -> str:
    """Return JSON text that UTF-8 can encode, with lone surrogates escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if _encodable(text) else json.dumps(value, separators=(",", ":"))


def _columns(record: Mapping[str, Any]) -> dict[str, Any]:
    identity = record.get("userIdentity")
    identity = identity if isinstance(identity, dict) else {}
    address = _text(record.get("sourceIPAddress"))
    action = _text(record.get("eventName")) or _text(record.get("eventType")) or _UNNAMED
    listed = _resource_id(record.get("resources"))
    values = {
        "occurred_at": _time(record.get("eventTime")),
        "action": action,
        "resource": _text(record.get("eventSource")) or "",
        "resource_id": listed or _text(infer_resource(action, record.get("requestParameters"))),
        "outcome": _outcome(record),
        "description": _text(record.get("errorMessage")),
        "ip": address if address and parse_ip(address) else None,  # may also be a service's host name
        "user_agent": _text(record.get("userAgent")),
        "request_id": _text(record.get("requestID")),
        "source": SOURCE,
    }
    return values | _actor(identity)


def _actor(identity: Mapping[str, Any]) -> dict[str, str | None]:
    def first(*names: str) -> str | None:
        return next((text for name in names if (text := _text(identity.get(name)))), None)

    actor_id = first("arn", "principalId", "userName", "invokedBy", "identityProvider", "accountId") or ""
    principal = _text(identity.get("principalId")) or ""
    session = principal.partition(":")[2] or None  # <role id>:<session name>
    return {
        "actor_id": actor_id,
        "actor_type": _actor_type(identity, actor_id),
        "actor_name": first("userName") or session or first("invokedBy"),
    }


def _actor_type(identity: Mapping[str, Any], actor_id: str) -> str:
    kind = identity.get("type")
    if identity.get("principalId") == "Anonymous" or identity.get("accountId") == "ANONYMOUS_PRINCIPAL":
        return "anonymous"
    if isinstance(kind, str) and kind in _PEOPLE:
        return "user"
    if kind == "AWSService" or identity.get("invokedBy"):
        return "service"
    return "user" if actor_id else "system"


def _outcome(record: Mapping[str, Any]) -> Outcome:
    code = record.get("errorCode")
    if code:
        return Outcome.denied if any(word in str(code) for word in _DENIED) else Outcome.failure
    response = record.get("responseElements")
    if isinstance(response, dict) and response.get("ConsoleLogin") == "Failure":  # a failed login has no errorCode
        return Outcome.failure
    return Outcome.failure if record.get("errorMessage") else Outcome.success


def _resource_id(resources: Any) -> str | None:
    first = resources[0] if isinstance(resources, list) and resources else None
    return (_text(first.get("ARN")) or _text(first.get("arn"))) if isinstance(first, dict) else None


def _tenant(record: Mapping[str, Any]) -> str:
    identity = record.get("userIdentity")
    own = identity.get("accountId") if isinstance(identity, dict) else None
    account = record.get("recipientAccountId") or own
    if isinstance(account, (str, int)) and account:
        return str(account)
    raise InvalidEvent(
        "has neither recipientAccountId nor userIdentity.accountId", field="tenant_id", fix="Pass --tenant."
    )


def _event_id(record: Mapping[str, Any], tenant: str) -> str | None:
    given = record.get("eventID")
    if not given or not isinstance(given, (str, int)):
        return None
    try:
        return str(uuid.UUID(str(given)))
    except ValueError:
        return uuid5(tenant, SOURCE, repr(given))


def _time(given: Any) -> datetime:
    try:
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            return datetime.fromtimestamp(given, UTC)
        time = datetime.fromisoformat(given)
    except (TypeError, ValueError, OverflowError, OSError):
        raise InvalidEvent(
            f"eventTime {json.dumps(given)[:80]} is missing or not a time", field="occurred_at"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)  # CloudTrail's times are UTC


def _canonical(address: str | None) -> str | None:
    """Return the address as the store returns it: IPv4-mapped IPv6 becomes IPv4."""
    parsed = parse_ip(address) if address else None
    if parsed is None:
        return None
    return str((parsed.version == 6 and parsed.ipv4_mapped) or parsed)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value and _encodable(value) else None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Inexact(Exception):
    """Raised if parsing would lose information: a duplicate key, or more digits than a float can represent."""


def _float(text: str) -> float:
    number = float(text)
    if repr(number) != text:
        raise _Inexact
    return number


def _int(text: str) -> int:
    if text == "-0":
        raise _Inexact
    return int(text)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Inexact
    return found


_NAMED: Final = re.compile(r"(?P<what>.*?)(?P<kind>Arn|ARN|arn|Id|ID|id|Name|name)")
_KINDS: Final = ("arn", "name", "id")  # in order of preference: an ARN is the most specific


def infer_resource(action: str, parameters: Any) -> str | None:
    """Return the id of the resource that the action names last. For `DeleteRolePolicy`, `policyName` is preferred to
    `roleName`.

    If no parameter matches the action, a plain `name`, `id` or `arn` is used. Returns None if all are missing.
    """
    if not isinstance(parameters, Mapping):
        return None
    found: list[tuple[int, int, str]] = []
    for name, value in parameters.items():
        named = _NAMED.fullmatch(name)
        if named is None or not isinstance(value, str) or not value:
            continue
        what = named["what"].lower()
        place = action.lower().rfind(what) + len(what) if what and what in action.lower() else 0
        if place or not what:
            found.append((-place, _KINDS.index(named["kind"].lower()), value))
    return min(found)[2] if found else None
