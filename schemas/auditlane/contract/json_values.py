"""`before`, `after` and the JSON of own fields: the one way in which Python's values become JSON text.

| given | becomes |
|---|---|
| dict or another Mapping; list, tuple, deque or another sequence | object; array |
| pydantic model; dataclass | object of its fields (`model_dump()`; `dataclasses.fields`) |
| set, frozenset | array in the order of the elements' JSON text, so that equal sets are equal text |
| Enum | its value |
| bytes, bytearray, memoryview | text in base64 |
| Decimal, UUID, IP address or network, path, URL | text |
| date, time, datetime; timedelta | text in ISO 8601 |
| pydantic's SecretStr, SecretBytes, Secret | `"**********"` |

Everything else is refused, and so are keys that are not text, NaN and infinite numbers: nothing is stored as a
`repr`.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping, Sequence, Set
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from pydantic import AnyUrl, BaseModel, MongoDsn, NatsDsn, PostgresDsn, Secret, SecretBytes, SecretStr
from pydantic_core import MultiHostUrl, Url, to_jsonable_python

_TEXTS: Final = (
    *(IPv4Address, IPv6Address, IPv4Network, IPv6Network, IPv4Interface, IPv6Interface),
    *(AnyUrl, MongoDsn, NatsDsn, PostgresDsn, Url, MultiHostUrl),
    *(timedelta, Secret),
)
_SECRET: Final = "**********"  # noqa: S105 - what stands in its place


def json_text(value: object) -> str:
    """JSON text. Raises ValueError, the end of a sentence that begins with the value's place."""
    try:
        _check_keys(value)
        return json.dumps(value, ensure_ascii=False, default=_plain, allow_nan=False)
    except RecursionError:
        raise ValueError("is nested too deep, or holds itself") from None
    except _Refused as error:
        raise ValueError(str(error)) from None
    except ValueError:  # also an object that holds itself
        raise ValueError("must be what JSON can say, without NaN and infinite numbers") from None
    except MemoryError:
        raise
    except Exception as error:  # a method of the value's own
        raise ValueError(f"cannot be read: {type(error).__name__} was raised by the value itself") from error


class _Refused(Exception):
    """The end of a sentence."""


def _check_keys(value: object) -> None:
    """Of everything that `json.dumps` walks by itself. It would make text of numbers, and two keys the same one."""
    if isinstance(value, dict):
        for key, one in value.items():
            if not isinstance(key, str):
                raise _Refused(f"must have text as keys, not {type(key).__name__}")
            if isinstance(one, dict | list | tuple):
                _check_keys(one)
    elif isinstance(value, list | tuple):
        for item in value:
            if isinstance(item, dict | list | tuple):
                _check_keys(item)


def _plain(value: Any) -> Any:
    """What `json.dumps` does not know, one step nearer to what it does."""
    made = _converted(value)
    _check_keys(made)
    return made


def _converted(value: Any) -> Any:  # noqa: C901 - a table of types
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError
        return str(value)
    if isinstance(value, UUID | PurePath):
        return str(value)
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, SecretStr | SecretBytes):
        return _SECRET
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, BaseModel):
        return value.model_dump()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        return [json.loads(text) for text in sorted(map(json_text, value))]
    if isinstance(value, Sequence):
        return list(value)
    if isinstance(value, _TEXTS):
        return to_jsonable_python(value)
    kind = type(value).__name__
    raise _Refused(f"holds a {kind}, which has no form in JSON: give a dict of what is to be stored")
