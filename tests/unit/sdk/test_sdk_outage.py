"""What is said of a service that is away, and how often."""

from __future__ import annotations

from auditlane.sdk.outage import ASK_S, REPEAT_S, Away, Back, Outage


def test_it_is_said_once_then_every_half_minute_and_once_when_it_is_back():
    outage, said = Outage(), []
    for tenth in range(1_000):
        now = tenth / 10
        outage.suspect("refused", now)
        said += [one for one in (outage.gone(now), outage.repeated(now)) if one]
    outage.lose()
    said.append(outage.works(100))
    assert outage.works(101) is None
    assert said == [Away("refused", 0, 0), *(Away("refused", n * REPEAT_S, 0) for n in (1, 2, 3)), Back(100, 1)]


def test_a_part_that_fails_is_asked_for_before_anything_is_said():
    outage = Outage()
    assert not outage.due(0)
    outage.suspect("refused", 1)
    assert not outage.due(1)
    assert outage.due(1 + ASK_S)
    assert not outage.due(2 + ASK_S)
    assert outage.works(2 + ASK_S) is None
    assert not outage.away
