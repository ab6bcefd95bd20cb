"""Tests which processes a process group restarts, when it does so, and on which port."""

from __future__ import annotations

import pytest

from auditlane.cli.processes import POLICY, is_permanent_failure
from auditlane.cli.worker import child_env, worker_ports
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import load


def test_consecutive_failures_wait_longer_up_to_a_limit() -> None:
    assert [POLICY.backoff(failures) for failures in range(1, 9)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


@pytest.mark.parametrize("code", [2, 5])
def test_wrong_configuration_is_not_retried(code: int) -> None:
    assert is_permanent_failure(code, was_ready=False)
    assert not is_permanent_failure(code, was_ready=True)  # it has been ready before, so something else has changed
    assert not is_permanent_failure(6, was_ready=False)  # a service was unavailable


def test_ports_count_up_and_zero_stays() -> None:
    assert worker_ports(load(worker_port=9000), 3) == [9000, 9001, 9002]
    assert worker_ports(load(worker_port=0), 2) == [0, 0]
    env = child_env(load(worker_port=9000), 2, 3)
    assert (env["AUDITLANE_WORKER_PORT"], env["AUDITLANE_WORKER_PROCESSES_TOTAL"]) == ("9002", "3")
    assert env["AUDITLANE_TRAIL_LIFECYCLE"] == "false"  # the parent records the start and the stop for the whole group
    more = load(worker_processes_total=9)  # processes on other machines
    assert child_env(more, 0, 3)["AUDITLANE_WORKER_PROCESSES_TOTAL"] == "9"
    with pytest.raises(ConfigError, match="ports above 65535"):
        worker_ports(load(worker_port=65_534), 3)
