"""Serializers for media types that schemathesis does not support."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson", "application/jsonl")
def lines(_context: Any, value: Any) -> bytes:
    if isinstance(value, bytes | str):
        return value if isinstance(value, bytes) else value.encode()
    return b"\n".join(json.dumps(one).encode() for one in (value if isinstance(value, list) else [value]))
