"""JSON objects from one item's bytes, with a sentence for everything that is wrong with them."""

from __future__ import annotations

import json
from typing import Any

from auditlane.contract.event_json import no_constant, problem_of
from auditlane.importer.sources import Item
from auditlane.runtime.errors import InvalidEvent


def parse_object(item: Item, **hooks: Any) -> dict[str, Any]:
    """The item's object; `hooks` go to json.loads. Raises InvalidEvent."""
    if item.problem:
        raise InvalidEvent(item.problem)
    try:
        value = json.loads(item.text.decode("utf-8"), parse_constant=no_constant, **hooks)
    except UnicodeDecodeError as error:
        raise InvalidEvent(f"is not UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise InvalidEvent(f"is not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise InvalidEvent("is not JSON that can be read: it is nested too deep") from None
    except ValueError as error:
        raise InvalidEvent(f"is not JSON that can be read: {problem_of(error)}") from None
    if not isinstance(value, dict):
        raise InvalidEvent(f"is not a JSON object but {'null' if value is None else type(value).__name__}")
    return value
