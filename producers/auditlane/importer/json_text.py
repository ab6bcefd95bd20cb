"""Parses an item's bytes as a JSON object, with a readable message for every error."""

from __future__ import annotations

import json
from typing import Any

from auditlane.contract.event_json import no_constant, problem_of
from auditlane.importer.sources import Item
from auditlane.runtime.errors import InvalidEvent


def parse_object(item: Item, **hooks: Any) -> dict[str, Any]:
    """Return the item's object. `hooks` are passed to json.loads. Raises InvalidEvent if the text is not a JSON
    object.
    """
    if item.problem:
        raise InvalidEvent(item.problem)
    try:
        value = json.loads(item.text.decode("utf-8"), parse_constant=no_constant, **hooks)
    except UnicodeDecodeError as error:
        raise InvalidEvent(f"is not UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise InvalidEvent(f"is not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise InvalidEvent("cannot be parsed as JSON: it is nested too deeply") from None
    except ValueError as error:
        raise InvalidEvent(f"cannot be parsed as JSON: {problem_of(error)}") from None
    if not isinstance(value, dict):
        raise InvalidEvent(f"is not a JSON object but {'null' if value is None else type(value).__name__}")
    return value
