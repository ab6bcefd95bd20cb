"""Tests the log messages about an unreachable service, and how often they are logged."""

from __future__ import annotations

from auditlane.sdk.outage import PROBE_S, REPEAT_S, Away, Back, Outage


def test_an_outage_is_logged_once_then_every_half_minute_and_once_when_over():
    outage, messages = Outage(), []
    for tenth in range(1_000):
        now = tenth / 10
        outage.suspect("refused", now)
        messages += [one for one in (outage.unreachable(now), outage.reminder(now)) if one]
    outage.count_lost()
    messages.append(outage.recovered(100))
    assert outage.recovered(101) is None
    assert messages == [Away("refused", 0, 0), *(Away("refused", n * REPEAT_S, 0) for n in (1, 2, 3)), Back(100, 1)]


def test_a_failing_part_is_probed_before_anything_is_logged():
    outage = Outage()
    assert not outage.is_probe_due(0)
    outage.suspect("refused", 1)
    assert not outage.is_probe_due(1)
    assert outage.is_probe_due(1 + PROBE_S)
    assert not outage.is_probe_due(2 + PROBE_S)
    assert outage.recovered(2 + PROBE_S) is None
    assert not outage.away
