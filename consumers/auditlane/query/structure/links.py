"""Link templates that lead from an event's resource to the application's own pages, by resource type."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

FIELD: Final = "resource"  # the field whose presentation contains the templates
MAX_LINKS: Final = 100
PLACEHOLDERS: Final = ("resource_id", "resource", "tenant_id")
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_ALLOWED: Final = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)


def link_problem(template: str) -> str | None:
    """Return the problem with a link template, or None if it is valid.

    A valid template is an https address whose path, query or fragment contains `{resource_id}`. The viewer
    percent-encodes the values.
    """
    try:
        parts = urlsplit(template)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not an address; write it as https://app.example/documents/{resource_id}"
    if parts.scheme != "https" or not host or parts.username is not None:
        return "must begin with https:// and a host, without credentials"
    if re.search(r"[{}]", parts.netloc):
        return "has a placeholder in its host; use placeholders only after it"
    if re.search(r"[\s\\\x00-\x1f\x7f]", template):
        return "must have no white space, backslash or control character"
    names = _PLACEHOLDER.findall(template)
    if unknown := next((name for name in names if name not in PLACEHOLDERS), None):
        return f"has the unknown placeholder {{{unknown}}}; use {_ALLOWED}"
    if re.search(r"[{}]", _PLACEHOLDER.sub("", template)):
        return f"has a brace that does not belong to a placeholder; use {_ALLOWED}"
    if "resource_id" not in names:
        return "must contain {resource_id}"
    return None
