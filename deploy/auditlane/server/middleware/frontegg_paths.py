"""Handles the paths of Frontegg's clients: ignores extra slashes, and adds the members to errors that their SDK
expects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

FAMILIES: Final = re.compile(r"/+(audits|metadata|auth/+vendor|vendors/+auth/+token)(/.*)?", re.DOTALL)


class PathNormalizer:
    """ASGI middleware that removes repeated and trailing slashes from the paths of Frontegg's clients, and only from
    these.

    It does not redirect, because clients would repeat a POST as a GET.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Changed in place, so that the outer middleware's access log and metrics see the route.
        if scope["type"] == "http" and FAMILIES.fullmatch(scope["path"]):
            scope["path"] = plain(scope["path"])
            scope["raw_path"] = scope["path"].encode()
        await self._app(scope, receive, send)


def plain(path: str) -> str:
    """Return the path without repeated and trailing slashes: `/audits//stats/` becomes `/audits/stats`."""
    return "/" + "/".join(part for part in path.split("/") if part)


def with_frontegg_members(path: str, problem: Mapping[str, Any]) -> dict[str, Any]:
    """Return the problem. On Frontegg's paths, it also has `errorCode`, and `errors` is a list of strings, as
    Frontegg's browser SDK expects.
    """
    if not FAMILIES.fullmatch(path):
        return dict(problem)
    fields = [f"{error['field']}: {error['message']}" for error in problem.get("errors", ())]
    texts = fields or [f"{problem['detail']} {problem.get('fix', '')}".rstrip()]
    return {**problem, "errors": texts, "errorCode": problem["code"]}
