"""The supported import formats, one per module. To add a format, write a class with these methods and list it here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from auditlane.contract.event import AuditEvent
from auditlane.importer.auditlane_lines import AuditlaneLines
from auditlane.importer.cloudtrail import CloudTrail
from auditlane.importer.sources import Item, Source


class Format(Protocol):
    """Reads one file, and may keep state between items. `unit` is what messages call an item."""

    unit: str

    def items(self, source: Source) -> Iterator[Item]:
        """Yield the items in file order. Every run must yield the same items."""

    def event(self, item: Item) -> AuditEvent:
        """Return the item's event, whose id must be the same in every run. Raises InvalidEvent."""

    def skip(self, item: Item) -> None:
        """Note an item imported by an earlier run."""


# Name -> constructor, which takes the value of --tenant.
FORMATS: Final[dict[str, Callable[[str | None], Format]]] = {"auditlane": AuditlaneLines, "cloudtrail": CloudTrail}
