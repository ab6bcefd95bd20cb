"""`openapi.json`: what FastAPI derives, with our error body in place of its own on every operation."""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from auditlane.contract.tenants import TENANT_PATTERN
from auditlane.server.problems import MEDIA_TYPE, FieldProblem, Problem

_REF: Final = "#/components/schemas/{model}"
_MEANINGS: Final = {
    "400": "What was sent is not valid; `field` says which part.",
    "401": "No credential, or one that does not verify.",
    "403": "The credential lacks the permission, or belongs to another tenant.",
    "404": "There is nothing by this name for this caller.",
    "409": "It does not go with what is there; `code` and `detail` say why.",
    "411": "The body does not say how long it is.",
    "413": "The body is longer than it may be.",
    "415": "The body is in a form that is not read here.",
    "429": "This client sends more than it may; try again after `Retry-After`.",
    "500": "Something went wrong on our side.",
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
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _describe_path(path, operation)
            responses = operation["responses"]
            responses.pop("422", None)
            for status in _statuses(path, operation):
                responses.setdefault(status, _response(status))
            for status, response in responses.items():
                if status >= "400":
                    response.setdefault("content", _response("500")["content"])
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


def _statuses(path: str, operation: dict[str, Any]) -> list[str]:
    if not path.startswith("/v1/"):
        return ["400", "401", "500"] if path == "/enter" else []
    statuses = ["400", "401", "500"]
    if path != "/v1/token":
        statuses.append("403")
    if "ingest" in operation.get("tags", []):
        statuses += ["413", "415", "429"]
    elif "requestBody" in operation:
        statuses += ["411", "413"]
    if "tokens" not in operation.get("tags", []):
        statuses.append("503")  # the token routes depend on nothing that can be away
    if "/structure" in path:
        statuses.append("409")
    if "{" in path or path.startswith("/v1/admin/"):
        statuses.append("404")
    return statuses


def _response(status: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=Problem.__name__)}
    return {"description": _MEANINGS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
