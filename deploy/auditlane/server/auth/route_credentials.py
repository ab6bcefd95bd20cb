"""Which credential a route asks for, found without running the route: FastAPI reads a body before it asks for any."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

_MARK: Final = "_requires_credential"
Check = Callable[[Request], Awaitable[object]]
Dependency = TypeVar("Dependency", bound=Callable[..., Awaitable[object]])


def requires_credential(dependency: Dependency) -> Dependency:
    """Mark a FastAPI dependency that authenticates. It is called with the request alone, before the body is read, and
    once more by FastAPI for what it returns."""
    setattr(dependency, _MARK, True)
    return dependency


def before_body(request: Request) -> bool:
    """Whether a dependency is asked before the body: what takes time, as a look into the store, can wait."""
    return bool(getattr(request.state, "before_body", False))


@dataclass(frozen=True, slots=True)
class CheckedRoute:
    """A route and the checks that come before its body; without any it is open to everybody."""

    route: APIRoute
    checks: tuple[Check, ...]

    async def admit(self, scope: Scope) -> None:
        """Raises what the route itself would answer to a request without the right credential."""
        scope.update(self.route.matches(scope)[1])  # the parameters in its path, and what the metrics are told
        request = Request(scope)
        request.state.before_body = True
        for check in self.checks:
            await check(request)
        request.state.before_body = False


class RouteChecks:
    """The doors of an app; routes may be added as long as it runs."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._routes = 0
        self._plain: dict[tuple[str, str], CheckedRoute] = {}  # by method and path, where the path has no parameter
        self._others: list[CheckedRoute] = []

    def door(self, scope: Scope) -> CheckedRoute | None:
        """The route that will take this request; None when there is none."""
        if len(self._app.routes) != self._routes:
            self._learn()
        found = self._plain.get((scope["method"], scope["path"]))
        return found or next((one for one in self._others if one.route.matches(scope)[0] is Match.FULL), None)

    def _learn(self) -> None:
        self._routes, self._plain, self._others = len(self._app.routes), {}, []
        for route in _routes_of(self._app):
            door = CheckedRoute(route, tuple(_checks(route.dependant)))
            if route.param_convertors:
                self._others.append(door)
            else:
                for method in route.methods or ():
                    self._plain.setdefault((method, route.path), door)


def _routes_of(owner: Any) -> Iterator[APIRoute]:
    for route in owner.routes:
        if isinstance(route, APIRoute):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from _routes_of(included)


def _checks(dependant: Dependant) -> Iterator[Check]:
    for one in dependant.dependencies:
        if one.call is not None and getattr(one.call, _MARK, False):
            yield one.call
        yield from _checks(one)
