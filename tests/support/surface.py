"""The HTTP service's operations, read from the app, and a sample request for each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute


@dataclass(frozen=True)
class Operation:
    """One method on one path. `parameters` lists the documented parameters as (place, name). `body` is a schema, or
    None if there is no body.
    """

    method: str
    path: str
    parameters: tuple[tuple[str, str], ...] = ()
    body: dict[str, Any] | None = None
    documented: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def placeholders(self) -> list[str]:
        return re.findall(r"{(\w+)(?::\w+)?}", self.path)

    def at(self, values: dict[str, str]) -> str:
        return re.sub(r"{(\w+)(?::\w+)?}", lambda found: values[found[1]], self.path)


def operations(app: FastAPI) -> list[Operation]:
    """Return all operations, including undocumented ones."""
    document = app.openapi()
    found = []
    for route in routes_of(app):
        for method in sorted((route.methods or set()) - {"OPTIONS"}):
            described = document["paths"].get(route.path, {}).get(method.lower(), {})
            content = described.get("requestBody", {}).get("content", {})
            found.append(
                Operation(
                    method,
                    route.path,
                    tuple((one["in"], one["name"]) for one in described.get("parameters", [])),
                    content.get("application/json", {}).get("schema"),
                    document,
                )
            )
    return found


def routes_of(owner: Any) -> Iterator[APIRoute]:
    """Yield an app's routes in the order in which they are matched."""
    for route in owner.routes:
        if isinstance(route, APIRoute):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from routes_of(included)


def sample(schema: dict[str, Any] | None, document: dict[str, Any], strings: dict[str, str], name: str = "") -> Any:
    """Return a value that matches a JSON schema: its example if it has one, or else a minimal value. `strings` maps
    field names to the strings to use.
    """
    if not schema:
        return {}
    if "$ref" in schema:
        return sample(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document, strings, name)
    if name in strings:
        return [strings[name]] if schema.get("type") == "array" else strings[name]
    if schema.get("examples"):
        return schema["examples"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return sample(schema[several][0], document, strings, name)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object":
            return {key: sample(one, document, strings, key) for key, one in schema.get("properties", {}).items()}
        case "array":
            return [sample(schema.get("items"), document, strings)]
        case "integer" | "number":
            return schema.get("default", schema.get("minimum", 1))
        case "boolean":
            return schema.get("default", True)
        case "null":
            return None
        case _:
            return schema.get("default", "text")
