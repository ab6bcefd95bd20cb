"""The formats an import knows, one module each; another one is a class here with these three methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from auditlane.contract.event import AuditEvent
from auditlane.importer.auditlane_lines import AuditlaneLines
from auditlane.importer.cloudtrail import CloudTrail
from auditlane.importer.sources import Item, Source


class Format(Protocol):
    """One import's reading of a file; it may keep state between items. `unit` is what an item is called."""

    unit: str

    def items(self, source: Source) -> Iterator[Item]:
        """The items in the order of the file, the same ones each time."""

    def event(self, item: Item) -> AuditEvent:
        """The item's event, under the same id each time. Raises InvalidEvent."""

    def pass_over(self, item: Item) -> None:
        """The item was imported by an earlier run."""


# Each made with the tenant that was asked for, if any.
FORMATS: Final[dict[str, Callable[[str | None], Format]]] = {"auditlane": AuditlaneLines, "cloudtrail": CloudTrail}
