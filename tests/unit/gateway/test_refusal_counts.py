"""Tests the counts of events that a contract rejects. They are kept per tenant and hour, limited in number, and marked
if the rejections began with a change.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from auditlane.gateway import refusal_counts
from auditlane.gateway.refusal_counts import ContractRefusals, RefusalCount, by_contract
from auditlane.runtime.errors import EventTooLarge, InvalidEvent, KafkaUnavailable

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_refusals_are_counted_for_an_hour() -> None:
    counts = ContractRefusals()
    for minute in (0, 10, 55):
        counts.add("acme", T0 + minute * MINUTE)
    counts.add("globex", T0 + 55 * MINUTE)
    assert counts.top(T0 + 56 * MINUTE) == [RefusalCount("acme", 3), RefusalCount("globex", 1)]
    assert counts.top(T0 + 75 * MINUTE) == [RefusalCount("acme", 1), RefusalCount("globex", 1)]
    assert counts.top(T0 + 200 * MINUTE) == []


def test_tenants_whose_contract_was_changed_come_first() -> None:
    counts = ContractRefusals()
    for _ in range(9):
        counts.add("globex", T0)
    counts.add("acme", T0)
    counts.changed("acme", T0 + MINUTE)
    assert counts.add("acme", T0 + 2 * MINUTE) == RefusalCount("acme", 2, T0 + MINUTE, 1)
    assert [one.tenant for one in counts.top(T0 + 3 * MINUTE)] == ["acme", "globex"]
    assert counts.add("acme", T0 + 90 * MINUTE).changed_at is None, "a change long ago is not the cause"


def test_a_change_of_the_environments_contract_affects_every_tenant() -> None:
    counts = ContractRefusals()
    counts.add("acme", T0)
    counts.changed(None, T0 + MINUTE)
    for tenant in ("acme", "globex"):
        assert counts.add(tenant, T0 + 2 * MINUTE).after_change == 1


def test_tenants_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusal_counts, "MOST_TENANTS", 3)
    counts = ContractRefusals()
    for tenant in ("a", "b", "a", "c", "d"):
        counts.add(tenant, T0)
    assert {one.tenant for one in counts.top(T0)} == {"a", "c", "d"}


def test_refusals_independent_of_the_contract_are_not_counted() -> None:
    assert by_contract(InvalidEvent("department must not be empty.", field="department"))
    assert not by_contract(InvalidEvent("out of range", field="occurred_at"))
    assert not by_contract(EventTooLarge("too large", field="metadata"))
    assert not by_contract(KafkaUnavailable("away"))
