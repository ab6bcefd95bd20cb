"""Decisions of a group of processes: who is started again, when, and on which port."""

from __future__ import annotations

import pytest

from auditlane.cli.processes import BACKOFF_S, STEADY_S, Slot
from auditlane.cli.worker import child_env, ports_
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import load


def test_each_death_in_a_row_waits_longer_up_to_a_bound() -> None:
    slot = Slot(0, was_ready=True)
    waits = []
    for _ in range(len(BACKOFF_S) + 2):
        assert slot.ended(1, now=100.0)
        slot.started = 100.0
        waits.append(slot.not_before - 100.0)
    assert waits == [*BACKOFF_S, BACKOFF_S[-1], BACKOFF_S[-1]]


def test_a_long_life_is_forgiven() -> None:
    slot = Slot(0, deaths=5, started=0.0)
    assert slot.ended(-9, now=STEADY_S)
    assert slot.not_before == STEADY_S + BACKOFF_S[0]


@pytest.mark.parametrize("code", [2, 5])
def test_what_is_configured_wrong_is_not_tried_again(code: int) -> None:
    assert not Slot(0).ended(code, now=1.0)
    assert Slot(0, was_ready=True).ended(code, now=1.0)  # it worked: something else has changed
    assert Slot(0).ended(6, now=1.0)  # a part was away


def test_ports_count_up_and_zero_stays() -> None:
    assert ports_(load(worker_port=9000), 3) == [9000, 9001, 9002]
    assert ports_(load(worker_port=0), 2) == [0, 0]
    env = child_env(load(worker_port=9000), 2, 3)
    assert (env["AUDITLANE_WORKER_PORT"], env["AUDITLANE_WORKERS"]) == ("9002", "3")
    assert child_env(load(workers=9), 0, 3)["AUDITLANE_WORKERS"] == "9"  # there are more, on other machines
    with pytest.raises(ConfigError, match="past port 65535"):
        ports_(load(worker_port=65_534), 3)
