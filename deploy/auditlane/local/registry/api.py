"""The REST resources, which map a request's path, query and body to the registry's rules, and results to JSON."""

from __future__ import annotations

from typing import Any

from auditlane.local.registry import errors
from auditlane.local.registry.errors import ApiError
from auditlane.local.registry.http import Call, Routes, Text
from auditlane.local.registry.parameters import (
    UNSUPPORTED_CONFIG,
    body_of,
    new_subject_of,
    prefix_of,
    reject_unsupported,
    schema_id,
    schema_request,
    subject_of,
    version_number,
)
from auditlane.local.registry.service import Registry
from auditlane.local.registry.store import StoredSchema, Version


def routes(registry: Registry) -> Routes:
    """Return every resource with its methods."""
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
        ("schemas", "guids", "*"): {"GET": resources.guid},
        ("schemas", "guids", "*", "ids"): {"GET": resources.guid_ids},
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
        return call.page(self._registry.subjects(prefix_of(call), deleted=deleted, deleted_only=only))

    def lookup(self, call: Call) -> dict[str, Any]:
        found = self._registry.lookup(schema_request(call), deleted=call.flag("deleted"))
        return _version_json(found)

    def delete_subject(self, call: Call) -> list[int]:
        return self._registry.delete_subject(subject_of(call), permanent=call.flag("permanent"))

    def versions(self, call: Call) -> list[int]:
        deleted, only = call.flag("deleted"), call.flag("deletedOnly")
        return call.page(self._registry.versions(subject_of(call), deleted=deleted, deleted_only=only))

    def register(self, call: Call) -> dict[str, Any]:
        new_subject_of(call)
        answer: dict[str, Any] = {"id": self._registry.register(schema_request(call))}
        if call.lenient:  # newer clients send this and expect GUIDs; older ones expect only the id
            answer["guid"] = str(self._registry.schema(answer["id"]).guid)
        return answer

    def version(self, call: Call) -> dict[str, Any]:
        return _version_json(self._version(call))

    def version_schema(self, call: Call) -> Any:
        return Text(self._version(call).schema.text)

    def referenced_by(self, call: Call) -> list[int]:
        return call.page(self._registry.referenced_by(subject_of(call), version_number(call.values[1])))

    def delete_version(self, call: Call) -> int:
        text, permanent = call.values[1], call.flag("permanent")
        number = version_number(text)
        return self._registry.delete_version(subject_of(call), number, permanent=permanent, version_text=text)

    def _version(self, call: Call) -> Version:
        return self._registry.version(subject_of(call), version_number(call.values[1]), deleted=call.flag("deleted"))

    # /schemas

    def schemas(self, call: Call) -> list[dict[str, Any]]:
        deleted, latest = call.flag("deleted"), call.flag("latestOnly")
        found = self._registry.schemas(prefix_of(call), deleted=deleted, latest_only=latest)
        return [_version_json(version) for version in call.page(found)]

    def schema(self, call: Call) -> dict[str, Any]:
        answer = _schema_json(self._schema(call))
        if call.flag("fetchMaxId"):
            answer["maxId"] = self._registry.max_id()
        return answer

    def guid(self, call: Call) -> dict[str, Any]:
        return _schema_json(self._registry.schemas_of(call.values[0])[0])

    def guid_ids(self, call: Call) -> list[dict[str, Any]]:
        return [{"context": ".", "id": schema.schema_id} for schema in self._registry.schemas_of(call.values[0])]

    def schema_text(self, call: Call) -> Any:
        return Text(self._schema(call).text)

    def schema_subjects(self, call: Call) -> list[str]:
        found = self._registry.versions_of(schema_id(call), deleted=call.flag("deleted"))
        return call.page(list(dict.fromkeys(version.subject for version in found)))

    def schema_versions(self, call: Call) -> list[dict[str, Any]]:
        found = self._registry.versions_of(schema_id(call), deleted=call.flag("deleted"))
        return call.page([{"subject": version.subject, "version": version.version} for version in found])

    def _schema(self, call: Call) -> StoredSchema:
        return self._registry.schema(schema_id(call))

    # /compatibility

    def compatible(self, call: Call) -> dict[str, Any]:
        version = version_number(call.values[1]) if len(call.values) > 1 else None
        verbose = call.flag("verbose")
        try:
            reasons = self._registry.compatible(schema_request(call), version)
        except ApiError as api_error:
            if not verbose or api_error.code != 42201:
                raise
            reasons = [api_error.message]
        return {"is_compatible": not reasons, **({"messages": reasons} if verbose else {})}

    # /config and /mode

    def config(self, call: Call) -> dict[str, Any]:
        subject = subject_of(call)
        answer: dict[str, Any] = {
            "compatibilityLevel": self._registry.policy.level(subject, default_to_global=call.flag("defaultToGlobal"))
        }
        normalize = self._registry.policy.normalizes(subject)
        return answer if normalize is None else {**answer, "normalize": normalize}

    def configure(self, call: Call) -> dict[str, Any]:
        known = {"compatibility", "normalize"}
        reject_unsupported(call, UNSUPPORTED_CONFIG)
        body = {key: value for key, value in body_of(call, known).items() if key in known and value is not None}
        level, normalize = body.get("compatibility"), body.get("normalize")
        if not isinstance(normalize, bool | None):
            raise ApiError(422, "normalize must be true or false")
        if not body or not isinstance(level, str | None):
            raise errors.invalid_level()
        self._registry.policy.configure(subject_of(call), level.upper() if level is not None else None, normalize)
        return body

    def unconfigure(self, call: Call) -> dict[str, str]:
        return {"compatibilityLevel": self._registry.policy.unconfigure(subject_of(call))}

    def mode(self, call: Call) -> dict[str, str]:
        return {"mode": self._registry.policy.mode(subject_of(call), default_to_global=call.flag("defaultToGlobal"))}

    def set_mode(self, call: Call) -> dict[str, str]:
        mode = body_of(call, {"mode"}).get("mode")
        if not isinstance(mode, str):
            raise errors.invalid_mode()
        self._registry.policy.set_mode(subject_of(call), mode.upper(), force=call.flag("force"))
        return {"mode": mode}

    def unset_mode(self, call: Call) -> dict[str, str]:
        return {"mode": self._registry.policy.unset_mode(subject_of(call))}


def _schema_json(schema: StoredSchema) -> dict[str, Any]:
    references = [reference.as_json() for reference in schema.references]
    return {"guid": str(schema.guid), "schema": schema.text, **({"references": references} if references else {})}


def _version_json(version: Version) -> dict[str, Any]:
    return {
        "subject": version.subject,
        "version": version.version,
        "id": version.schema.schema_id,
        **_schema_json(version.schema),
    }
