"""Tests the relay's pause between two steps."""

from __future__ import annotations

from auditlane.outbox.loop import Pace
from auditlane.outbox.relay import Step
from auditlane.runtime.errors import KafkaUnavailable

AWAY = Step(error=KafkaUnavailable("Kafka is away."))


def test_an_idle_relay_waits_ever_longer_up_to_its_poll_interval() -> None:
    pace, pauses = Pace(1.0), []
    for _ in range(7):
        pace = pace.after(Step())
        pauses.append(pace.pause_s)
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert pace.after(Step(sent=1)).pause_s == 0.05
    assert pace.after(Step(sent=500, more=True)).pause_s == 0


def test_failures_double_the_pause_up_to_half_a_minute() -> None:
    pace, pauses = Pace(1.0), []
    for step in (AWAY, None, AWAY, AWAY, None, AWAY, AWAY):
        pace = pace.after(step)
        pauses.append(pace.pause_s)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert pace.after(Step(sent=1)).failures == 0


def test_a_step_that_sent_something_is_no_failure() -> None:
    assert Pace(1.0).after(Step(sent=3, error=AWAY.error)).failures == 0


def test_steps_add_up() -> None:
    both = Step(1, 2, False, None).followed_by(Step(3, 4, True, AWAY.error))
    assert both == Step(4, 6, True, AWAY.error)
