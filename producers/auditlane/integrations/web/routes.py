"""Selects a request's configured route by the framework's template or, without one, by the path. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from auditlane.contract.event import SeverityName
from auditlane.runtime.errors import ConfigError

ANY: Final = "*"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
# `{name}` and `{name:converter}` as in Starlette, `<name>` and `<converter(…):name>` as in Flask.
_PARAMETER: Final = re.compile(
    r"\{(?P<curly>[A-Za-z_]\w*)(?::(?P<as_curly>[A-Za-z_]\w*))?\}"
    r"|<(?:(?P<as_angle>[A-Za-z_]\w*)(?:\([^<>]*\))?:)?(?P<angle>[A-Za-z_]\w*)>"
)
_EXAMPLE: Final = "Use the form 'DELETE /documents/{document_id}'."


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRoute:
    """A route's event.

    `resource` and `severity` default to the vocabulary's. For an action outside the vocabulary, `resource` is the part
    of the action before its first dot, and `severity` is `Info`. `resource_id` is the name of the path parameter that
    identifies the resource, by default the template's last one. Other parameters are added to the metadata.
    """

    action: str
    resource: str | None = None
    resource_id: str | None = None
    severity: SeverityName | None = None


class Match(NamedTuple):
    """A configured route and the request's path parameters, as text."""

    event: AuditRoute
    template: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Configured:
    template: str
    path: re.Pattern[str]
    shape: str
    event: AuditRoute


class Routes:
    """Configured routes by method."""

    def __init__(self, routes: Mapping[str, str | AuditRoute]) -> None:
        """Compile `{"DELETE /documents/{document_id}": "document.deleted"}`. Raises ConfigError for an invalid
        route.
        """
        self._by_method: dict[str, list[_Configured]] = {}
        for key, event in routes.items():
            method, configured = _configured(key, AuditRoute(action=event) if isinstance(event, str) else event)
            self._by_method.setdefault(method, []).append(configured)

    def has(self, method: str) -> bool:
        """Return whether any route has this method."""
        return method in self._by_method or ANY in self._by_method

    def find(self, method: str, path: str, template: str | None) -> Match | None:
        """Return the first configured route that matches, or None if none does.

        `path` is relative to where the middleware is installed. `template` is that of the route that the framework
        chose, if any. It decides between routes that match the same path. It may lack the prefix of an included router
        or mount.
        """
        candidates = self._by_method.get(method, ()), self._by_method.get(ANY, ())
        if not candidates[0] and not candidates[1]:
            return None
        shape = None if template is None else shape_of(template)
        for configured in (*candidates[0], *candidates[1]):
            if shape is not None and not configured.shape.endswith(shape):
                continue
            if found := configured.path.fullmatch(path):
                return Match(configured.event, configured.template, found.groupdict())
        return None


@lru_cache(maxsize=4_096)
def shape_of(template: str) -> str:
    """Return a template without its parameters' names and types: `/documents/{}`."""
    return _PARAMETER.sub("{}", template)


def _configured(key: str, event: AuditRoute) -> tuple[str, _Configured]:
    method, _, template = key.partition(" ")
    template = template.strip()
    if method != ANY and method.upper() not in _METHODS:
        raise ConfigError(f"The route {key!r} does not begin with an HTTP method or *.", field="routes", fix=_EXAMPLE)
    if not template.startswith("/"):
        raise ConfigError(f"The route {key!r} has no path that begins with /.", field="routes", fix=_EXAMPLE)
    pattern, names, end = "", [], 0
    for parameter in _PARAMETER.finditer(template):
        name = parameter["curly"] or parameter["angle"]
        if name in names:
            raise ConfigError(
                f"The route {key!r} has two parameters named {name!r}.", field="routes", fix="Rename one."
            )
        whole = (parameter["as_curly"] or parameter["as_angle"]) == "path"
        pattern += re.escape(template[end : parameter.start()]) + f"(?P<{name}>{'.*' if whole else '[^/]+'})"
        names.append(name)
        end = parameter.end()
    if event.resource_id is not None and event.resource_id not in names:
        raise ConfigError(
            f"The route {key!r} has no parameter {event.resource_id!r}.",
            field="routes",
            fix=f"Use one of: {', '.join(names)}." if names else "Omit resource_id.",
        )
    compiled = re.compile(pattern + re.escape(template[end:]), re.DOTALL)
    return method.upper(), _Configured(template, compiled, shape_of(template), event)
