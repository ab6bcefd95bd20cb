"""The REST resources: from a request's path, query and body to the registry's rules and back to JSON."""

from __future__ import annotations

from typing import Any

from auditlane.local.registry import errors
from auditlane.local.registry.errors import Refusal
from auditlane.local.registry.http import Call, Routes, Text
from auditlane.local.registry.resolving import Request
from auditlane.local.registry.service import LATEST, Registry
from auditlane.local.registry.store import GLOBAL, Reference, Stored, Version

_SCHEMA_FIELDS = frozenset({"schema", "schemaType", "references", "id", "version", "subject", "guid", "deleted"})
_UNSUPPORTED_FIELDS = frozenset({"metadata", "ruleSet", "schemaTagsToAdd", "schemaTagsToRemove", "propagateSchemaTags"})
_UNSUPPORTED_CONFIG = frozenset(
    {"compatibilityGroup", "compatibilityPolicy", "alias", "validateFields", "validateRules"}
    | {"defaultMetadata", "overrideMetadata", "defaultRuleSet", "overrideRuleSet"}
)
_RESERVED_SUBJECTS = frozenset({"__GLOBAL", "__EMPTY"})
_MAX_INT = 2**31 - 1


def routes(registry: Registry) -> Routes:
    """Every resource with its methods."""
    resources = _Resources(registry)
    return {
        ("",): {"GET": lambda _: {}, "POST": lambda _: {}},
        ("subjects",): {"GET": resources.subjects},
        ("subjects", "*"): {"POST": resources.lookup, "DELETE": resources.delete_subject},
        ("subjects", "*", "versions"): {"GET": resources.versions, "POST": resources.register},
        ("subjects", "*", "versions", "*"): {"GET": resources.version, "DELETE": resources.delete_version},
        ("subjects", "*", "versions", "*", "schema"): {"GET": resources.version_schema},
        ("subjects", "*", "versions", "*", "referencedby"): {"GET": resources.referenced_by},
        ("schemas",): {"GET": resources.schemas},
        ("schemas", "types"): {"GET": lambda _: ["AVRO"]},
        ("schemas", "ids", "*"): {"GET": resources.schema},
        ("schemas", "ids", "*", "schema"): {"GET": resources.schema_text},
        ("schemas", "ids", "*", "subjects"): {"GET": resources.schema_subjects},
        ("schemas", "ids", "*", "versions"): {"GET": resources.schema_versions},
        ("compatibility", "subjects", "*", "versions"): {"POST": resources.compatible},
        ("compatibility", "subjects", "*", "versions", "*"): {"POST": resources.compatible},
        ("config",): {"GET": resources.config, "PUT": resources.configure, "DELETE": resources.unconfigure},
        ("config", "*"): {"GET": resources.config, "PUT": resources.configure, "DELETE": resources.unconfigure},
        ("mode",): {"GET": resources.mode, "PUT": resources.set_mode, "DELETE": resources.unset_mode},
        ("mode", "*"): {"GET": resources.mode, "PUT": resources.set_mode, "DELETE": resources.unset_mode},
        ("contexts",): {"GET": lambda call: call.page(["."])},
    }


class _Resources:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    # /subjects

    def subjects(self, call: Call) -> list[str]:
        deleted, only = call.flag("deleted"), call.flag("deletedOnly")
        return call.page(self._registry.subjects(_prefix(call), deleted=deleted, deleted_only=only))

    def lookup(self, call: Call) -> dict[str, Any]:
        found = self._registry.lookup(_request(call), deleted=call.flag("deleted"))
        return _version_json(found)

    def delete_subject(self, call: Call) -> list[int]:
        return self._registry.delete_subject(_subject(call), permanent=call.flag("permanent"))

    def versions(self, call: Call) -> list[int]:
        deleted, only = call.flag("deleted"), call.flag("deletedOnly")
        return call.page(self._registry.versions(_subject(call), deleted=deleted, deleted_only=only))

    def register(self, call: Call) -> dict[str, int]:
        subject = call.values[0]
        if subject in _RESERVED_SUBJECTS or any(ord(letter) < 32 or ord(letter) == 127 for letter in subject):
            raise errors.invalid_subject(subject)
        return {"id": self._registry.register(_request(call))}

    def version(self, call: Call) -> dict[str, Any]:
        return _version_json(self._version(call))

    def version_schema(self, call: Call) -> Any:
        return Text(self._version(call).schema.text)

    def referenced_by(self, call: Call) -> list[int]:
        return call.page(self._registry.referenced_by(_subject(call), _number(call.values[1])))

    def delete_version(self, call: Call) -> int:
        asked = call.values[1]
        permanent = call.flag("permanent")
        return self._registry.delete_version(_subject(call), _number(asked), permanent=permanent, asked=asked)

    def _version(self, call: Call) -> Version:
        return self._registry.version(_subject(call), _number(call.values[1]), deleted=call.flag("deleted"))

    # /schemas

    def schemas(self, call: Call) -> list[dict[str, Any]]:
        deleted, latest = call.flag("deleted"), call.flag("latestOnly")
        found = self._registry.schemas(_prefix(call), deleted=deleted, latest_only=latest)
        return [_version_json(one) for one in call.page(found)]

    def schema(self, call: Call) -> dict[str, Any]:
        answer = _schema_json(self._schema(call))
        if call.flag("fetchMaxId"):
            answer["maxId"] = self._registry.max_id()
        return answer

    def schema_text(self, call: Call) -> Any:
        return Text(self._schema(call).text)

    def schema_subjects(self, call: Call) -> list[str]:
        found = self._registry.versions_of(_id(call), deleted=call.flag("deleted"))
        return call.page(list(dict.fromkeys(one.subject for one in found)))

    def schema_versions(self, call: Call) -> list[dict[str, Any]]:
        found = self._registry.versions_of(_id(call), deleted=call.flag("deleted"))
        return call.page([{"subject": one.subject, "version": one.version} for one in found])

    def _schema(self, call: Call) -> Stored:
        return self._registry.schema(_id(call))

    # /compatibility

    def compatible(self, call: Call) -> dict[str, Any]:
        version = _number(call.values[1]) if len(call.values) > 1 else None
        verbose = call.flag("verbose")
        try:
            reasons = self._registry.compatible(_request(call), version)
        except Refusal as refusal:
            if not verbose or refusal.code != 42201:
                raise
            reasons = [refusal.message]
        return {"is_compatible": not reasons, **({"messages": reasons} if verbose else {})}

    # /config and /mode

    def config(self, call: Call) -> dict[str, Any]:
        subject = _subject(call)
        answer: dict[str, Any] = {
            "compatibilityLevel": self._registry.policy.level(subject, default_to_global=call.flag("defaultToGlobal"))
        }
        normalize = self._registry.policy.normalizes(subject)
        return answer if normalize is None else {**answer, "normalize": normalize}

    def configure(self, call: Call) -> dict[str, Any]:
        known = {"compatibility", "normalize"}
        _refuse_unsupported(call, _UNSUPPORTED_CONFIG)
        body = {key: one for key, one in _object(call, known).items() if key in known and one is not None}
        level, normalize = body.get("compatibility"), body.get("normalize")
        if not isinstance(normalize, bool | None):
            raise Refusal(422, "normalize must be true or false")
        if not body or not isinstance(level, str | None):
            raise errors.invalid_level()
        self._registry.policy.configure(_subject(call), level.upper() if level is not None else None, normalize)
        return body

    def unconfigure(self, call: Call) -> dict[str, str]:
        return {"compatibilityLevel": self._registry.policy.unconfigure(_subject(call))}

    def mode(self, call: Call) -> dict[str, str]:
        return {"mode": self._registry.policy.mode(_subject(call), default_to_global=call.flag("defaultToGlobal"))}

    def set_mode(self, call: Call) -> dict[str, str]:
        mode = _object(call, {"mode"}).get("mode")
        if not isinstance(mode, str):
            raise errors.invalid_mode()
        self._registry.policy.set_mode(_subject(call), mode.upper(), force=call.flag("force"))
        return {"mode": mode}

    def unset_mode(self, call: Call) -> dict[str, str]:
        return {"mode": self._registry.policy.unset_mode(_subject(call))}


def _subject(call: Call) -> str:
    """The path's subject; `:.:` before it names the default context, the only one here."""
    subject = call.values[0].removeprefix(":.:") if call.values else GLOBAL
    if subject.startswith(":."):
        raise Refusal(42208, f"The specified subject '{subject}' is not a valid subject: contexts are not supported.")
    return subject


def _prefix(call: Call) -> str:
    return call.query.get("subjectPrefix", "").removeprefix(":*:").removeprefix(":.:")


def _number(version: str) -> int:
    """A version as the path names it: a number from 1, or "latest" or -1 for LATEST."""
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


def _id(call: Call) -> int:
    text = call.values[0]
    if not text.lstrip("-").isascii() or not text.lstrip("-").isdigit() or int(text) > _MAX_INT:
        raise Refusal(404, "HTTP 404 Not Found")
    return int(text)


def _object(call: Call, known: set[str] | frozenset[str]) -> dict[str, Any]:
    if not isinstance(call.body, dict):
        raise Refusal(400, "The request's body is not a JSON object")
    unknown = next((key for key in call.body if key not in known), None)
    if unknown is not None and not call.lenient:
        raise Refusal(422, f"Unrecognized field: {unknown}")
    return call.body


def _refuse_unsupported(call: Call, fields: frozenset[str]) -> None:
    """To ignore these would promise what is not kept."""
    given = next((key for key in sorted(fields) if isinstance(call.body, dict) and call.body.get(key)), None)
    if given is not None:
        raise Refusal(422, f"This registry does not keep {given}")


def _request(call: Call) -> Request:
    body = _object(call, _SCHEMA_FIELDS | _UNSUPPORTED_FIELDS)
    _refuse_unsupported(call, _UNSUPPORTED_FIELDS)
    kind = body.get("schemaType") or "AVRO"
    if kind != "AVRO":
        raise errors.invalid_schema(f"Invalid schema type {kind}")
    text = body.get("schema")
    if text is not None and not isinstance(text, str):
        raise Refusal(400, "The schema must be given as a string of JSON, not as JSON itself")
    return Request(
        _subject(call),
        text or "",
        tuple(_reference(one) for one in body.get("references") or ()),
        schema_id=_integer(body, "id", -1),
        version=_integer(body, "version", 0),
        normalize=call.flag("normalize"),
    )


def _reference(value: Any) -> Reference:
    match value:
        case {"name": str(name), "subject": str(subject), "version": int(version)}:
            return Reference(name, subject, version)
    raise Refusal(400, "A reference needs a name, a subject and a version")


def _integer(body: dict[str, Any], key: str, default: int) -> int:
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MAX_INT:
        raise Refusal(400, f"{key} must be an integer")
    return value


def _schema_json(schema: Stored) -> dict[str, Any]:
    references = [reference.as_json() for reference in schema.references]
    return {"schema": schema.text, **({"references": references} if references else {})}


def _version_json(version: Version) -> dict[str, Any]:
    return {
        "subject": version.subject,
        "version": version.version,
        "id": version.schema.schema_id,
        **_schema_json(version.schema),
    }
