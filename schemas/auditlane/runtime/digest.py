"""Limits the size of text and JSON values. An oversized part is replaced with its size, SHA-256 and first characters.

Nothing is dropped without a trace: the SHA-256 identifies the original to anyone who has it. Performs no I/O.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

MOST_NAMES: Final = 50  # maximum number of an object's keys; a larger object is summarized as a whole
_FIRST: Final = 10  # number of entries of a list or object in a summary
_LEAST: Final = 160  # in bytes, about the size of a summary without entries


def replace_surrogates(text: str) -> str:
    """Return `text` with lone surrogates, which UTF-8 cannot encode, replaced by question marks."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def size_of(text: str) -> int:
    """Return the size of `text` in UTF-8, in bytes."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def shortened(text: str, most_bytes: int) -> str:
    """Return `text` if it fits in `most_bytes` of UTF-8. Otherwise, returns its start, size and SHA-256.

    The result never exceeds `most_bytes`. Below about 100 bytes, it is only a part of the SHA-256.
    """
    data = text.encode(errors="replace")
    if len(data) <= most_bytes:
        return replace_surrogates(text)
    end = f" … [{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}]"
    room = most_bytes - len(end.encode())
    if room < 0:
        return hashlib.sha256(data).hexdigest()[:most_bytes]
    return data[:room].decode(errors="ignore") + end


def json_text(value: Any) -> str:
    """Return the value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, default=str)


def digested(value: Any, most_bytes: int) -> Any:
    """Return the JSON value if its text fits in `most_bytes`. Otherwise, returns a copy with the same structure in
    which large parts are summarized.

    A summary is `{"sha256": …, "bytes": …, "count": …, "first": [the first entries]}`. For an object, it has `names`
    too.
    """
    if size_of(json_text(value)) <= most_bytes:
        return value
    if isinstance(value, Mapping) and 0 < len(value) <= MOST_NAMES:
        room = most_bytes - size_of(json_text(dict.fromkeys(value, 0)))
        smaller = _shared(value, room)
        if size_of(json_text(smaller)) <= most_bytes:
            return smaller
    return _summary(value, most_bytes)


def digested_list(values: Sequence[Mapping[str, Any]], most_bytes: int, *, name: str) -> list[Any]:
    """Digest a list of objects like `digested`, and return a list.

    The list contains the first objects, each reduced to its share of the bytes, and then a summary of the whole list
    with the objects' values of `name`.
    """
    if size_of(json_text(values)) <= most_bytes:
        return list(values)
    summary = _identity(values) | {
        "count": len(values),
        "names": _within((str(value.get(name)) for value in values), most_bytes // 4),
    }
    kept = _within((digested(value, most_bytes // 4) for value in values[:_FIRST]), most_bytes // 2)
    return [*kept, {"digest": summary}]


def _shared(value: Mapping[str, Any], room: int) -> dict[str, Any]:
    """Reduce every entry to its share of the available bytes. Large entries may also use what small entries leave."""
    sizes = {name: size_of(json_text(entry)) for name, entry in value.items()}
    smaller = dict(value)
    for remaining, name in zip(range(len(sizes), 0, -1), sorted(sizes, key=sizes.__getitem__), strict=True):
        share = max(_LEAST, room // remaining)
        smaller[name] = digested(value[name], share)
        room -= min(sizes[name], share)
    return smaller


def _summary(value: Any, most_bytes: int) -> dict[str, Any]:
    described = _identity(value)
    room = most_bytes - _LEAST
    if isinstance(value, Mapping):
        described["count"] = len(value)
        described["names"] = _within((str(name) for name in value), room)
    elif isinstance(value, (list, tuple)):
        described["count"] = len(value)
        described["first"] = _within((digested(entry, max(_LEAST, room // 4)) for entry in value[:_FIRST]), room)
    else:
        described["first"] = shortened(str(value), max(0, room // 2))
    return described


def _identity(value: Any) -> dict[str, Any]:
    data = json_text(value).encode(errors="replace")
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _within(values: Iterable[Any], most_bytes: int) -> list[Any]:
    """Return the longest prefix of `values` whose combined JSON fits in `most_bytes`."""
    kept: list[Any] = []
    for item in values:
        most_bytes -= size_of(json_text(item)) + 2
        if most_bytes < 0:
            break
        kept.append(item)
    return kept
