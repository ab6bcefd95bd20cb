"""Everything about exports that one `serve` has: made from the settings, started, closed."""

from __future__ import annotations

from fastapi import APIRouter

from auditlane.query.export import router
from auditlane.query.export.download import CountRows
from auditlane.query.export.exporter import Exporter
from auditlane.query.export.links import Links, Signer
from auditlane.query.export.request import StructureOf
from auditlane.query.router import Authorize
from auditlane.runtime.settings import Settings


class Exports:
    """`routers` are mounted, `start` comes before the first request, `close` after the last."""

    def __init__(
        self,
        settings: Settings,
        authorize: Authorize,
        signer: Signer,
        structure_of: StructureOf,
        *,
        count_rows: CountRows = lambda format_, rows: None,
    ) -> None:
        self._exporter = Exporter(settings)
        links = Links(signer, settings.serve_url)
        self.routers: list[APIRouter] = [
            router.build(self._exporter, authorize, links, structure_of, count_rows=count_rows)
        ]

    def start(self) -> None:
        """Begin to work."""

    def close(self) -> None:
        """End what is going on, and the connections."""
        self._exporter.close()
