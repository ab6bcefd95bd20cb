"""Tests which disks an observer watches."""

from __future__ import annotations

from pathlib import Path

from auditlane.observe.measurements import Disk
from auditlane.observe.probes import disks_of

GIB = 1 << 30


def test_disks_of_one_size_are_different_disks() -> None:
    store = {Path("/var/lib/clickhouse"): ("default", Disk(10 * GIB, 100 * GIB))}
    own = Disk(90 * GIB, 100 * GIB)
    assert disks_of(store, Path("/srv/auditlane"), own) == {
        "data folder": own,
        "clickhouse:default": Disk(10 * GIB, 100 * GIB),
    }


def test_the_embedded_servers_disks_are_those_of_the_data_folder() -> None:
    own = Disk(90 * GIB, 100 * GIB)
    store = {Path("/srv/auditlane/clickhouse/store"): ("default", own)}
    assert disks_of(store, Path("/srv/auditlane"), own) == {"data folder": own}


def test_disks_that_could_not_be_read_are_unknown() -> None:
    assert disks_of(None, Path("/srv/auditlane"), None) is None
    assert disks_of({}, Path("/srv/auditlane"), None) == {}
