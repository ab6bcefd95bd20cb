"""Bounds for text and JSON values: what is too large is replaced by its size, its SHA-256 and its beginning.

Nothing is dropped without a trace: who holds the original can show by its SHA-256 that it is what was meant. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

MOST_NAMES: Final = 50  # of an object; one with more is summed up as a whole
_FIRST: Final = 10  # entries of a list or object that a summary shows
_LEAST: Final = 160  # bytes; about what a summary without entries takes


def sayable(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot carry, replaced by a question mark."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def size_of(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def shortened(text: str, most_bytes: int) -> str:
    """The text if it has at most so many bytes in UTF-8, else its beginning, then its size and SHA-256.

    Never longer than `most_bytes`; below about 100 bytes only a part of the SHA-256 is left.
    """
    data = text.encode(errors="replace")
    if len(data) <= most_bytes:
        return sayable(text)
    end = f" … [{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}]"
    room = most_bytes - len(end.encode())
    if room < 0:
        return hashlib.sha256(data).hexdigest()[:most_bytes]
    return data[:room].decode(errors="ignore") + end


def json_text(value: Any) -> str:
    """The value as JSON in one line."""
    return json.dumps(value, ensure_ascii=False, default=str)


def digested(value: Any, most_bytes: int) -> Any:
    """The JSON value if its text has at most so many bytes, else one of the same form in which large parts are summed
    up: `{"sha256": …, "bytes": …, "count": …, "first": [the first entries]}`, with `names` for an object."""
    if size_of(json_text(value)) <= most_bytes:
        return value
    if isinstance(value, Mapping) and 0 < len(value) <= MOST_NAMES:
        room = most_bytes - size_of(json_text(dict.fromkeys(value, 0)))
        smaller = _shared(value, room)
        if size_of(json_text(smaller)) <= most_bytes:
            return smaller
    return _summary(value, most_bytes)


def digested_list(values: Sequence[Mapping[str, Any]], most_bytes: int, *, name: str) -> list[Any]:
    """As `digested` for a list of objects, which stays a list: the first ones, each within its share, and at the end
    one object that sums the whole up, with what all of them have under `name`."""
    if size_of(json_text(values)) <= most_bytes:
        return list(values)
    summary = _identity(values) | {
        "count": len(values),
        "names": _within((str(one.get(name)) for one in values), most_bytes // 4),
    }
    kept = _within((digested(one, most_bytes // 4) for one in values[:_FIRST]), most_bytes // 2)
    return [*kept, {"digest": summary}]


def _shared(value: Mapping[str, Any], room: int) -> dict[str, Any]:
    """Every entry within a share of the room: what small ones leave goes to the large ones."""
    sizes = {name: size_of(json_text(one)) for name, one in value.items()}
    found = dict(value)
    for left, name in zip(range(len(sizes), 0, -1), sorted(sizes, key=sizes.__getitem__), strict=True):
        share = max(_LEAST, room // left)
        found[name] = digested(value[name], share)
        room -= min(sizes[name], share)
    return found


def _summary(value: Any, most_bytes: int) -> dict[str, Any]:
    described = _identity(value)
    room = most_bytes - _LEAST
    if isinstance(value, Mapping):
        described["count"] = len(value)
        described["names"] = _within((str(name) for name in value), room)
    elif isinstance(value, (list, tuple)):
        described["count"] = len(value)
        described["first"] = _within((digested(one, max(_LEAST, room // 4)) for one in value[:_FIRST]), room)
    else:
        described["first"] = shortened(str(value), max(0, room // 2))
    return described


def _identity(value: Any) -> dict[str, Any]:
    data = json_text(value).encode(errors="replace")
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _within(values: Iterable[Any], most_bytes: int) -> list[Any]:
    """The first values whose texts have at most so many bytes together."""
    kept: list[Any] = []
    for item in values:
        most_bytes -= size_of(json_text(item)) + 2
        if most_bytes < 0:
            break
        kept.append(item)
    return kept
