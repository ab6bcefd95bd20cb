"""Convert Python values to JSON text, for `before`, `after` and custom fields that contain JSON.

| given | becomes |
|---|---|
| dict or another Mapping; list, tuple, deque or another sequence | object; array |
| pydantic model; dataclass | object of its fields (`model_dump()`; `dataclasses.fields`) |
| set, frozenset | array in the order of the elements' JSON text, so that equal sets give equal text |
| Enum | its value |
| bytes, bytearray, memoryview | text in base64 |
| Decimal, UUID, IP address or network, path, URL | text |
| date, time, datetime; timedelta | text in ISO 8601 |
| pydantic's SecretStr, SecretBytes, Secret | `"**********"` |

Everything else is refused, as are keys that are not text, NaN and infinite numbers: nothing is stored as a `repr`.
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
_SECRET: Final = "**********"  # noqa: S105 - stored in place of a secret


def json_text(value: object) -> str:
    """Convert a value to JSON text.

    Raises ValueError if that is not possible. The message continues a sentence that starts with the field's name.
    """
    try:
        _check_keys(value)
        return _ENCODER.encode(value)
    except RecursionError:
        raise ValueError("is nested too deeply, or contains itself") from None
    except _Refused as error:
        raise ValueError(str(error)) from None
    except ValueError:  # also raised for an object that contains itself
        raise ValueError("must be convertible to JSON, without NaN or infinite numbers") from None
    except MemoryError:
        raise
    except Exception as error:  # raised by one of the value's methods
        raise ValueError(f"cannot be read: the value itself raised {type(error).__name__}") from error


class _Refused(Exception):
    """A value cannot be converted. The message continues a sentence that starts with the field's name."""


def _check_keys(value: object) -> None:
    """Check the keys of all objects that `json.dumps` serializes itself, since it would convert numbers to text and
    merge equal keys.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise _Refused(f"must have text as keys, not {type(key).__name__}")
            if isinstance(item, dict | list | tuple):
                _check_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            if isinstance(item, dict | list | tuple):
                _check_keys(item)


def _plain(value: Any) -> Any:
    """Convert a value that `json.dumps` does not support to a type that is supported, or closer to one."""
    converted = _converted(value)
    _check_keys(converted)
    return converted


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, default=_plain, allow_nan=False)


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
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        return [json.loads(text) for text in sorted(map(json_text, value))]
    if isinstance(value, Sequence):
        return list(value)
    if isinstance(value, _TEXTS):
        return to_jsonable_python(value)
    kind = type(value).__name__
    raise _Refused(f"contains a {kind}, which cannot be converted to JSON: pass a dict of the values to store")
