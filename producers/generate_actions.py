"""Write the SDK's typed methods for the actions of the vocabulary, in `sdk/actions.py` and `sdk/action_properties.py`.

python producers/generate_actions.py  # `make actions`; a test fails while the files differ from what this prints
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from auditlane.contract.vocabulary import ACTIONS, Action, MetadataKey

SDK: Final = Path(__file__).parent / "auditlane" / "sdk"
TYPES: Final = {"text": "str", "number": "Number", "list": "Texts", "time": "Time"}
PROPER_NAMES: Final = frozenset({"Kafka"})
NOTE: Final = "Generated from the vocabulary by `make actions`; do not edit."

ACTIONS_HEAD: Final = f'''"""The methods of known actions, a class for each noun. {NOTE}"""

from __future__ import annotations

from typing import Literal, Unpack

from auditlane.sdk.event_fields import EventFields
from auditlane.sdk.known_action import KnownActions, Number, Texts, Time, masked_changes
'''
PROPERTIES_HEAD: Final = f'''"""The nouns of known actions as properties of the client. {NOTE}

The methods themselves are imported when a property is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditlane.sdk import actions


class ActionProperties:
    """The base class of AuditClient with a property for each noun of the vocabulary."""

    __slots__ = ()
'''


def nouns() -> Iterator[tuple[str, list[Action]]]:
    """Yield each noun with its actions in alphabetical order, except actions that only auditlane records."""
    chosen = (action for action in ACTIONS.values() if action.group != "auditlane")
    for noun, found in groupby(sorted(chosen, key=lambda action: action.noun), lambda action: action.noun):
        yield noun, list(found)


def class_name(noun: str) -> str:
    """Return the name of a noun's class, such as `ApiKeyActions` for `api_key`."""
    return "".join(word.capitalize() for word in noun.split("_")) + "Actions"


def actions_module() -> str:
    """Return the text of `sdk/actions.py`."""
    return formatted("".join([ACTIONS_HEAD, *(_class(noun, found) for noun, found in nouns())]))


def properties_module() -> str:
    """Return the text of `sdk/action_properties.py`."""
    return formatted("".join([PROPERTIES_HEAD, *(_property(noun, found) for noun, found in nouns())]))


def formatted(text: str) -> str:
    """Format a module's text with ruff."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(SDK / "actions.py"), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def _class(noun: str, found: list[Action]) -> str:
    methods = "".join(_method(action) for action in found)
    docstring = f'"""Emits the actions whose names start with `{noun}.`."""'
    return f"\n\nclass {class_name(noun)}(KnownActions):\n    {docstring}\n\n    __slots__ = ()\n{methods}"


def _method(action: Action) -> str:
    keys = {**action.required, **action.optional}
    parameters = [f"{name}: {_type(key)}" for name, key in action.required.items()]
    parameters += [f"{name}: {_type(key)} | None = None" for name, key in action.optional.items()]
    star = ["*"] if parameters else []
    head = ", ".join(["self", *star, *parameters, "**event: Unpack[EventFields]"])
    values = ", ".join(f'"{name}": {name}' for name in keys)
    masked = [name for name, key in keys.items() if key.masked]
    lines = [f"def {action.participle}({head}) -> str:", *textwrap.indent(_docstring(action), "    ").splitlines()]
    if action.masks_changes:
        lines.append("    event = masked_changes(event)")
    defaults = ", ".join(map(repr, (action.name, action.outcome, action.severity, action.resource)))
    masks = f", masks={tuple(masked)!r}" if masked else ""
    lines.append(f"    return self._emit({defaults}, {{{values}}}, event{masks})")
    return "\n" + textwrap.indent("\n".join(lines), "    ") + "\n"


def _type(key: MetadataKey) -> str:
    return f"Literal[{', '.join(map(repr, key.values))}]" if key.values else TYPES[key.kind]


def _docstring(action: Action) -> str:
    keys = {**action.required, **action.optional}
    lines = _wrapped(f'"""Emit `{action.name}`: {_continued(action.meaning)}', "")
    if keys:
        lines += ["", "Args:"]
        for name, key in keys.items():
            masked = " Recorded masked, unless the client hashes it." if key.masked else ""
            lines += _wrapped(f"{name}: {key.meaning}{masked}", "    ")
        lines += ["    event: Further fields, as in `emit`."]
    if len(lines) == 1:
        return lines[0] + '"""'
    return "\n".join([*lines, '"""'])


def _continued(sentence: str) -> str:
    """Return a sentence with its first letter in lower case, as after a colon, unless it starts with a proper name."""
    first = sentence.partition(" ")[0]
    return sentence if first in PROPER_NAMES else sentence[0].lower() + sentence[1:]


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, 108, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _property(noun: str, found: list[Action]) -> str:
    listed = ", ".join(f"`{action.participle}`" for action in found)
    docstring = "\n    ".join(_wrapped(f'"""The methods that emit the actions of `{noun}`: {listed}."""', ""))
    body = f"""
@property
def {noun}(self) -> actions.{class_name(noun)}:
    {docstring}
    from auditlane.sdk.actions import {class_name(noun)}

    return {class_name(noun)}(self)
"""
    return textwrap.indent(body, "    ")


def modules() -> dict[Path, str]:
    """Return each generated module's text by path."""
    return {SDK / "actions.py": actions_module(), SDK / "action_properties.py": properties_module()}


def main() -> None:
    for path, text in modules().items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"{path.name}: written")


if __name__ == "__main__":
    main()
