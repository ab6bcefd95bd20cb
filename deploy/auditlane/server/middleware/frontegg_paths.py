"""The addresses that Frontegg's clients use: they mind no slash, and errors there have the members of their SDK."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

FAMILIES: Final = re.compile(r"/+(audits|metadata|auth/+vendor|vendors/+auth/+token)(/.*)?", re.DOTALL)


class PathNormalizer:
    """ASGI middleware: on their addresses, several slashes are one and a trailing one is none.

    Never by a redirect: their clients would repeat a POST as a GET. Other addresses are left as they are.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Changed in place, so that the access log and the metrics outside see the route.
        if scope["type"] == "http" and FAMILIES.fullmatch(scope["path"]):
            scope["path"] = plain(scope["path"])
            scope["raw_path"] = scope["path"].encode()
        await self._app(scope, receive, send)


def plain(path: str) -> str:
    """`/audits//stats/` as `/audits/stats`."""
    return "/" + "/".join(part for part in path.split("/") if part)


def with_frontegg_members(path: str, problem: Mapping[str, Any]) -> dict[str, Any]:
    """Return the problem. On their addresses it gets `errorCode`, and our list of wrong fields becomes texts: their
    browser SDK looks for both."""
    if not FAMILIES.fullmatch(path):
        return dict(problem)
    wrong = [f"{one['field']}: {one['message']}" for one in problem.get("errors", ())]
    texts = wrong or [f"{problem['detail']} {problem.get('fix', '')}".rstrip()]
    return {**problem, "errors": texts, "errorCode": problem["code"]}
