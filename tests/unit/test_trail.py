"""Our own audit trail: what a route records, and what becomes of it."""

from __future__ import annotations

from types import SimpleNamespace

from auditlane.access.trail import Action, Deed, NoTrail, Witness, witness_of


class Kept:
    """A trail that keeps its deeds."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []

    def record(self, deed: Deed) -> None:
        self.deeds.append(deed)


def test_a_witness_adds_who_and_where():
    kept = Kept()
    witness = Witness(kept, ip="192.0.2.7", request_id="r-1")
    witness.actor_id, witness.actor_type, witness.tenant = "jane", "user", "acme"
    request = SimpleNamespace(state=SimpleNamespace(witness=witness))
    witness_of(request).record(Action.exported, resource="audit_log", rows=12, format="csv", cursor=None)
    assert kept.deeds == [
        Deed(
            action="audit_log.exported",
            tenant="acme",
            actor_id="jane",
            resource="audit_log",
            metadata={"rows": "12", "format": "csv"},
            ip="192.0.2.7",
            request_id="r-1",
        )
    ]
    assert witness.recorded


def test_without_a_middleware_nothing_is_kept():
    witness = witness_of(SimpleNamespace(state=SimpleNamespace()))
    witness.record(Action.viewed)
    assert isinstance(witness.trail, NoTrail)
    assert witness.actor_type == "anonymous"
