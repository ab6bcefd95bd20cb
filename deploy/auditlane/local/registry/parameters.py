"""Reads a request's parameters, such as subject, version, id and schema, from its path, query and body. Raises
ApiError.
"""

from __future__ import annotations

from typing import Any

from auditlane.local.registry import errors
from auditlane.local.registry.errors import ApiError
from auditlane.local.registry.http import Call
from auditlane.local.registry.resolver import Request
from auditlane.local.registry.service import LATEST
from auditlane.local.registry.store import GLOBAL, Reference

_SCHEMA_FIELDS = frozenset({"schema", "schemaType", "references", "id", "version", "subject", "guid", "deleted"})
_UNSUPPORTED_FIELDS = frozenset({"metadata", "ruleSet", "schemaTagsToAdd", "schemaTagsToRemove", "propagateSchemaTags"})
UNSUPPORTED_CONFIG = frozenset(
    {"compatibilityGroup", "compatibilityPolicy", "alias", "validateFields", "validateRules"}
    | {"defaultMetadata", "overrideMetadata", "defaultRuleSet", "overrideRuleSet"}
)
_RESERVED_SUBJECTS = frozenset({"__GLOBAL", "__EMPTY"})
_MAX_INT = 2**31 - 1


def subject_of(call: Call) -> str:
    """Return the path's subject. The prefix `:.:` names the default context, the only supported one."""
    subject = call.values[0].removeprefix(":.:") if call.values else GLOBAL
    if subject.startswith(":."):
        raise ApiError(42208, f"The specified subject '{subject}' is not a valid subject: contexts are not supported.")
    return subject


def new_subject_of(call: Call) -> str:
    """Return the path's subject for a new registration. Raises ApiError for reserved names and control characters."""
    subject = subject_of(call)
    if subject in _RESERVED_SUBJECTS or any(ord(letter) < 32 or ord(letter) == 127 for letter in subject):
        raise errors.invalid_subject(subject)
    return subject


def prefix_of(call: Call) -> str:
    return call.query.get("subjectPrefix", "").removeprefix(":*:").removeprefix(":.:")


def version_number(version: str) -> int:
    """Parse the path's version: a number from 1, or "latest" or -1 for LATEST."""
    text = version.strip().lower()
    if text == "latest":
        return LATEST
    try:
        number = int(text)
    except ValueError:
        raise errors.invalid_version(version) from None
    if number == LATEST or 1 <= number <= _MAX_INT:
        return number
    raise errors.invalid_version(version)


def schema_id(call: Call) -> int:
    text = call.values[0]
    if not text.lstrip("-").isascii() or not text.lstrip("-").isdigit() or int(text) > _MAX_INT:
        raise ApiError(404, "HTTP 404 Not Found")
    return int(text)


def body_of(call: Call, known: set[str] | frozenset[str]) -> dict[str, Any]:
    if not isinstance(call.body, dict):
        raise ApiError(400, "The request's body is not a JSON object")
    unknown = next((key for key in call.body if key not in known), None)
    if unknown is not None and not call.lenient:
        raise ApiError(422, f"Unrecognized field: {unknown}")
    return call.body


def reject_unsupported(call: Call, fields: frozenset[str]) -> None:
    """Raise ApiError for fields that this registry does not store. If it ignored them, clients would not notice that
    they have no effect."""
    given = next((key for key in sorted(fields) if isinstance(call.body, dict) and call.body.get(key)), None)
    if given is not None:
        raise ApiError(422, f"This registry does not support {given}")


def schema_request(call: Call) -> Request:
    body = body_of(call, _SCHEMA_FIELDS | _UNSUPPORTED_FIELDS)
    reject_unsupported(call, _UNSUPPORTED_FIELDS)
    kind = body.get("schemaType") or "AVRO"
    if kind != "AVRO":
        raise errors.invalid_schema(f"Invalid schema type {kind}")
    text = body.get("schema")
    if text is not None and not isinstance(text, str):
        raise ApiError(400, "The schema must be given as a string of JSON, not as JSON itself")
    return Request(
        subject_of(call),
        text or "",
        tuple(_reference(reference) for reference in body.get("references") or ()),
        schema_id=_integer(body, "id", -1),
        version=_integer(body, "version", 0),
        normalize=call.flag("normalize"),
    )


def _reference(value: Any) -> Reference:
    match value:
        case {"name": str(name), "subject": str(subject), "version": int(version)}:
            return Reference(name, subject, version)
    raise ApiError(400, "A reference needs a name, a subject and a version")


def _integer(body: dict[str, Any], key: str, default: int) -> int:
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MAX_INT:
        raise ApiError(400, f"{key} must be an integer")
    return value
