"""An error as Frontegg's clients read it: their browser SDK looks for `errors`, a list of texts, and `errorCode`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

FAMILIES: Final = re.compile(r"/+(audits|metadata|auth/+vendor|vendors/+auth/+token)(/.*)?", re.DOTALL)


def worded(path: str, problem: Mapping[str, Any]) -> dict[str, Any]:
    """The problem; on their addresses with their two members, where our list of wrong fields becomes texts."""
    if not FAMILIES.fullmatch(path):
        return dict(problem)
    wrong = [f"{one['field']}: {one['message']}" for one in problem.get("errors", ())]
    texts = wrong or [f"{problem['detail']} {problem.get('fix', '')}".rstrip()]
    return {**problem, "errors": texts, "errorCode": problem["code"]}
