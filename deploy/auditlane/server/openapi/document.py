"""Builds `openapi.json`: FastAPI's document, with examples added and its error responses replaced by auditlane's
problems.
"""

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
_DESCRIPTIONS: Final = {
    "400": "The request is invalid; `field` names the invalid part.",
    "401": "The credential is missing or invalid.",
    "403": "The credential lacks a permission or belongs to another tenant.",
    "404": "The resource does not exist, or the caller has no access to it.",
    "409": "The request conflicts with the current state; see `code` and `detail`.",
    "408": "The body arrived too slowly.",
    "411": "The header Content-Length is missing.",
    "412": "The resource was changed after it was read.",
    "413": "The body is too large.",
    "415": "The content type of the body is not supported.",
    "416": "The requested range is outside the file; `Content-Range` has its size.",
    "428": "The header If-Match is missing.",
    "429": "This client or tenant exceeded a limit; retry after the time in `Retry-After`.",
    "500": "An internal error occurred.",
    "502": "A required component rejected a request; the service's log has the reason.",
    "503": "A required component is unavailable; retry after the time in `Retry-After`.",
}
_TEXT: Final = {"type": "string", "minLength": 1}
_PATH_VALUES: Final = {"tenant": {"type": "string", "pattern": f"^{TENANT_PATTERN}$", "examples": ["acme"]}}
_DESCRIPTION: Final = """Audit logs for every tenant of a SaaS product.

Exchange a client's key for a token at `/v1/token`. A client that is not bound to a tenant names one in the header
`Auditlane-Tenant`; viewer tokens include their tenant. Errors are `application/problem+json` (RFC 9457) with a stable
`code`.
"""


def install(app: FastAPI) -> None:
    """Serve the completed document at `/openapi.json`."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = complete(
                get_openapi(title="auditlane", version=app.version, description=_DESCRIPTION, routes=app.routes)
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add problem responses, permissions and examples to the document. FastAPI's 422 is removed, since it is not
    used.
    """
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
            _add_errors(method, path, operation)
            for status, response in responses.items():
                if status < "400":
                    _add_example(response)
            operation["responses"] = dict(sorted(responses.items()))
    for model in (Problem, FieldProblem):
        schemas[model.__name__] = model.model_json_schema(ref_template=_REF)
        schemas[model.__name__].pop("$defs", None)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document


def _describe_path(path: str, operation: dict[str, Any]) -> None:
    """Add path parameters that are read by authentication instead of the handler, such as `{tenant}`."""
    parameters = operation.setdefault("parameters", [])
    known = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
    for name in re.findall(r"{(\w+)}", path):
        if name not in known:
            parameters.append({"name": name, "in": "path", "required": True, "schema": _PATH_VALUES.get(name, _TEXT)})


def _add_errors(method: str, path: str, operation: dict[str, Any]) -> None:
    """Add the status of each of this operation's problems, with an example for each code."""
    responses, by_status = operation["responses"], dict[str, list[str]]()
    for code in codes_of(method, path, operation):
        by_status.setdefault(str(PROBLEMS[code]["status"]), []).append(code)
    for status, codes in by_status.items():
        response = responses.setdefault(status, {"description": _DESCRIPTIONS[status]})
        content = response.setdefault("content", {}).setdefault(MEDIA_TYPE, {})
        content["schema"] = {"$ref": _REF.format(model=Problem.__name__)}
        content["examples"] = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}


def _add_example(response: dict[str, Any]) -> None:
    for media_type, content in response.get("content", {}).items():
        model = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        example = OF_SCHEMA.get(model, OF_MEDIA.get(media_type))
        if example is not None and "examples" not in content:
            content.setdefault("example", example)
