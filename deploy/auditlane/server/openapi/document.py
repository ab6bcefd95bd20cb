"""`openapi.json`: what FastAPI derives, with our problems in place of its own, and examples."""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from auditlane.contract.tenants import TENANT_PATTERN
from auditlane.server.auth.route_permissions import needs_of, route_of
from auditlane.server.openapi.error_examples import PROBLEMS
from auditlane.server.openapi.errors import codes_of
from auditlane.server.openapi.examples import OF_MEDIA, OF_SCHEMA
from auditlane.server.problems import MEDIA_TYPE, FieldProblem, Problem

_REF: Final = "#/components/schemas/{model}"
_MEANINGS: Final = {
    "400": "What was sent is not valid; `field` says which part.",
    "401": "No credential, or one that does not verify.",
    "403": "The credential lacks the permission, or belongs to another tenant.",
    "404": "There is nothing by this name for this caller.",
    "409": "It does not go with what is there; `code` and `detail` say why.",
    "408": "The body came too slowly.",
    "411": "The body does not say how long it is.",
    "412": "It was changed since it was read.",
    "413": "The body is longer than it may be.",
    "415": "The body is in a form that is not read here.",
    "416": "The file has none of the bytes that are asked for; `Content-Range` says how many it has.",
    "428": "If-Match is missing.",
    "429": "This client, or this tenant, asks for more at once than it may; try again after `Retry-After`.",
    "500": "Something went wrong on our side.",
    "502": "A part that this needs answered, and said no; the service's log says why.",
    "503": "A part that this needs is away; try again after `Retry-After`.",
}
_TEXT: Final = {"type": "string", "minLength": 1}
_PATH_VALUES: Final = {"tenant": {"type": "string", "pattern": f"^{TENANT_PATTERN}$", "examples": ["acme"]}}
_DESCRIPTION: Final = """Audit logs for every tenant of a SaaS product.

Exchange a client's key for a token at `/v1/token`. A client of the whole environment names the tenant in the header
`Auditlane-Tenant`; a viewer's token has its own. Errors are `application/problem+json` (RFC 9457) with a stable `code`.
"""


def install(app: FastAPI) -> None:
    """Make the app answer `/openapi.json` with the completed document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = complete(
                get_openapi(title="auditlane", version=app.version, description=_DESCRIPTION, routes=app.routes)
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """The document with problem responses on every operation, and without FastAPI's 422, which we never answer."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    components["examples"] = {code: {"value": problem} for code, problem in sorted(PROBLEMS.items())}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _describe_path(path, operation)
            if needs := needs_of(route_of(method.upper(), path)):
                operation["x-permissions"] = needs
            responses = operation["responses"]
            responses.pop("422", None)
            _answer_errors(method, path, operation)
            for status, response in responses.items():
                if status < "400":
                    _show_success(response)
            operation["responses"] = dict(sorted(responses.items()))
    for model in (Problem, FieldProblem):
        schemas[model.__name__] = model.model_json_schema(ref_template=_REF)
        schemas[model.__name__].pop("$defs", None)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document


def _describe_path(path: str, operation: dict[str, Any]) -> None:
    """Add the parameters of the path that a route reads by itself, as `{tenant}`, which authentication compares."""
    parameters = operation.setdefault("parameters", [])
    known = {one["name"] for one in parameters if one["in"] == "path"}
    for name in re.findall(r"{(\w+)}", path):
        if name not in known:
            parameters.append({"name": name, "in": "path", "required": True, "schema": _PATH_VALUES.get(name, _TEXT)})


def _answer_errors(method: str, path: str, operation: dict[str, Any]) -> None:
    """Every status of a problem that this operation answers with, each with an example of every code."""
    responses, by_status = operation["responses"], dict[str, list[str]]()
    for code in codes_of(method, path, operation):
        by_status.setdefault(str(PROBLEMS[code]["status"]), []).append(code)
    for status, codes in by_status.items():
        response = responses.setdefault(status, {"description": _MEANINGS[status]})
        content = response.setdefault("content", {}).setdefault(MEDIA_TYPE, {})
        content["schema"] = {"$ref": _REF.format(model=Problem.__name__)}
        content["examples"] = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}


def _show_success(response: dict[str, Any]) -> None:
    for media_type, content in response.get("content", {}).items():
        model = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        example = OF_SCHEMA.get(model, OF_MEDIA.get(media_type))
        if example is not None and "examples" not in content:
            content.setdefault("example", example)
