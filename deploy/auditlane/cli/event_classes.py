"""Imports modules with typed events named on the command line, and collects their classes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from auditlane.contract.event import AuditEvent
from auditlane.runtime.errors import AuditlaneError, ConfigError, InvalidInput
from auditlane.runtime.messages import did_you_mean


def event_classes(targets: Sequence[str]) -> tuple[type[AuditEvent], ...]:
    """Return the distinct classes named by `module` or `module:Class`. A module includes its submodules.

    The working directory is on the path. Raises ConfigError if a module cannot be imported, and InvalidInput for a
    module without typed events.
    """
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    found: dict[type[AuditEvent], None] = {}
    for target in targets:
        name, _, class_name = target.partition(":")
        module = _imported(name)
        found |= dict.fromkeys([_named(module, class_name)] if class_name else _of_module(module))
    return tuple(found)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except AuditlaneError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigError(
                f"There is no module {name}.",
                field="events",
                fix=f"Run the command in the folder that contains {name.partition('.')[0]}, or set PYTHONPATH.",
            ) from error
        raise ConfigError(
            f"The module {name} cannot be imported: it needs {error.name}, which is not installed here.",
            field="events",
            fix="Run the command in the application's own environment, with auditlane[serve] installed.",
        ) from error
    except (Exception, SystemExit) as error:  # the module's code may raise any exception
        raise ConfigError(
            f"The module {name} cannot be imported: {type(error).__name__}: {error}.".replace("..", "."),
            field="events",
            fix=f'Correct what `python -c "import {name}"` reports, or move the events to a separate module.',
        ) from error


def _named(module: ModuleType, name: str) -> type[AuditEvent]:
    found = getattr(module, name, None)
    if isinstance(found, type) and issubclass(found, AuditEvent) and found is not AuditEvent:
        return found
    hint = did_you_mean(name, [event.__name__ for event in _typed_events(module)])
    raise InvalidInput(
        f"{module.__name__} has no typed event {name}.",
        field="events",
        fix=hint or f"Pass a subclass of AuditEvent, or only the module: {module.__name__}.",
    )


def _of_module(module: ModuleType) -> list[type[AuditEvent]]:
    events = _typed_events(module)
    if not events:
        raise InvalidInput(
            f"{module.__name__} declares no typed events.",
            field="events",
            fix="Pass the module that contains the subclasses of AuditEvent.",
        )
    return events


def _typed_events(module: ModuleType) -> list[type[AuditEvent]]:
    """Return the classes that the module or its imported submodules define, and those that it exports."""
    exported = [value for value in vars(module).values() if isinstance(value, type)]
    inside = f"{module.__name__}."
    return [
        event
        for event in _subclasses(AuditEvent)
        if event in exported or (f"{event.__module__}.".startswith(inside) and _is_current(event))
    ]


def _is_current(event: type[AuditEvent]) -> bool:
    """Return whether the module still contains this class. It may contain a newer class of the same name or only a
    factory instead.
    """
    found: object = sys.modules.get(event.__module__)
    for name in event.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is event


def _subclasses(event: type[AuditEvent]) -> Iterator[type[AuditEvent]]:
    for child in event.__subclasses__():
        yield child
        yield from _subclasses(child)
