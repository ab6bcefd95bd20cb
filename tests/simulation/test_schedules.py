"""Runs random schedules with faults. Each valid offset is stored once, each invalid offset is dead-lettered, and no
partition gets stuck.
"""

from __future__ import annotations

import os

import pytest
from simulator.schedule import Plan, Schedule

SCHEDULES = int(os.environ.get("SIMULATE", "500"))
BATCHES = 8


@pytest.mark.parametrize("batch", range(BATCHES))
def test_exactly_once_under_faults(batch: int) -> None:
    for seed in range(batch, SCHEDULES, BATCHES):
        Schedule(Plan(seed=seed, partitions=1 + seed % 3)).run()
