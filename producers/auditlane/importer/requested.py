"""What a CloudTrail request was about, told by its parameters, where the record lists no resources.

Many services list none; then `DeleteRole` says `roleName`, `DeleteSubnet` says `subnetId`: a parameter that ends as
names and ids do, and begins as something in the action's own name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_NAMED: Final = re.compile(r"(?P<what>.*?)(?P<kind>Arn|ARN|arn|Id|ID|id|Name|name)")
_KINDS: Final = ("arn", "name", "id")  # an ARN says the most


def requested(action: str, parameters: Any) -> str | None:
    """The identity of what the action names last: `policyName` before `roleName` in `DeleteRolePolicy`.

    A plain `name`, `id` or `arn` counts where the action names no other. None without one.
    """
    if not isinstance(parameters, Mapping):
        return None
    found: list[tuple[int, int, str]] = []
    for name, value in parameters.items():
        named = _NAMED.fullmatch(name)
        if named is None or not isinstance(value, str) or not value:
            continue
        what = named["what"].lower()
        place = action.lower().rfind(what) + len(what) if what and what in action.lower() else 0
        if place or not what:
            found.append((-place, _KINDS.index(named["kind"].lower()), value))
    return min(found)[2] if found else None
