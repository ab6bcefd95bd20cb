"""Tests the lock and the counters of a record set."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from auditlane.sdk.spool import owner_file
from auditlane.sdk.spool.owner_file import OwnerFile, Unsettled


def adopted(folder) -> OwnerFile:
    found = OwnerFile.adopt(folder)
    assert found is not None
    return found


def test_the_file_of_a_living_process_is_not_adopted(tmp_path):
    owner = OwnerFile.create(tmp_path)
    assert OwnerFile.adopt(tmp_path) is None
    owner.remove()
    assert OwnerFile.adopt(tmp_path) is None


def test_counters_survive_the_process(tmp_path):
    owner = OwnerFile.create(tmp_path)
    owner.low = 17
    acme = owner.emitted("acme", 100)
    owner.settled(acme)
    for at in (200, 300, 400):
        assert owner.emitted("acme", at) == acme
    owner.emitted("globex", 350)
    assert owner.next_spilled(acme) == 1
    owner.spilled(acme)
    owner.withdrawn(acme)
    owner.close()
    found = adopted(tmp_path)
    assert found.low == 17
    assert found.unsettled() == [Unsettled("acme", 3, 1, 1, 200, 400), Unsettled("globex", 1, 0, 0, 350, 350)]
    found.correct_spilled({"acme": 2, "globex": 0, "other": 7})
    assert [one.spilled for one in found.unsettled()] == [2, 0]
    found.swept(250)
    assert [one.since_us for one in found.unsettled()] == [250, 350]
    found.swept(500)  # by a clock that was set forward
    assert [(one.since_us, one.until_us) for one in found.unsettled()] == [(400, 400), (350, 350)]
    found.remove()


def test_losses_in_files_are_not_counted_again(tmp_path):
    owner = OwnerFile.create(tmp_path)
    acme = owner.emitted("acme", 100)
    owner.emitted("acme", 200)
    saved = owner.saved_with([acme, acme])
    owner.saved(saved)
    owner.emitted("acme", 300)
    owner.close()
    found = adopted(tmp_path)
    assert found.unsettled() == [Unsettled("acme", 3, 2, 0, 300, 300)]
    found.saved({acme: 1, -1: 1, 10**9: 1})  # of an earlier file, and of damaged ones
    assert found.unsettled() == [Unsettled("acme", 3, 2, 0, 300, 300)]
    found.remove()


def test_the_file_grows_with_the_number_of_tenants(tmp_path):
    owner = OwnerFile.create(tmp_path)
    for number in range(1_000):
        owner.emitted(f"tenant{number}", number + 1)
        owner.emitted("t" * 100, number + 1)
    owner.close()
    found = adopted(tmp_path)
    assert {one.tenant: one.emitted for one in found.unsettled()} == {
        **{f"tenant{number}": 1 for number in range(1_000)},
        "t" * 100: 1_000,
    }
    found.remove()


def test_tenants_without_a_slot_are_counted_together(tmp_path, monkeypatch):
    monkeypatch.setattr(owner_file, "_MOST_SLOTS", 0)
    owner = OwnerFile.create(tmp_path)
    for number in range(200):
        owner.settled(owner.emitted(f"tenant{number}", 1))
        owner.emitted(f"tenant{number}", 1)
    owner.close()
    found = adopted(tmp_path)
    counters = found.unsettled()
    assert sum(one.emitted for one in counters) == 400
    assert sum(one.settled for one in counters) == 200
    assert [(one.tenant, one.emitted) for one in counters][-1] == ("", 2 * (200 - 127))
    found.remove()


@pytest.mark.parametrize("content", [b"", b"short", bytes(40), b"auditlow\x07" + bytes(400), os.urandom(1_000)])
def test_a_damaged_file_counts_as_empty(tmp_path, content):
    (tmp_path / "owner").write_bytes(content)
    found = adopted(tmp_path)
    assert (found.low, found.unsettled()) == (0, [])
    found.remove()
    assert not (tmp_path / "owner").exists()


def test_counters_that_cannot_be_true_are_ignored(tmp_path):
    owner = OwnerFile.create(tmp_path)
    for tenant in ("acme", "globex", "umbra"):
        owner.emitted(tenant, 1)
    owner.close()
    data = bytearray((tmp_path / "owner").read_bytes())
    for slot, word in ((0, 13), (1, 17)):  # the number of events, and the time of the last one
        at = 64 + slot * 160 + word * 8
        data[at + 7] ^= 0x40
    (tmp_path / "owner").write_bytes(data)
    found = adopted(tmp_path)
    assert [one.tenant for one in found.unsettled()] == ["umbra"]
    found.remove()


CHILD = """
import os, sys, time
from pathlib import Path
from auditlane.sdk.spool.owner_file import OwnerFile
owner = OwnerFile.create(Path(sys.argv[1]))
slot = owner.emitted("acme", 5)
if pid := os.fork():
    owner.emitted("acme", 6)
    print(pid, flush=True)
time.sleep(600)
"""


def test_a_child_does_not_keep_its_killed_parents_lock_or_counters(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        assert OwnerFile.adopt(tmp_path) is None
        process.kill()
        process.wait()
        found = None
        while found is None:  # the child may not have run its fork hook yet
            found = OwnerFile.adopt(tmp_path)
        assert found.unsettled() == [Unsettled("acme", 2, 0, 0, 5, 6)]
        found.remove()
        os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdout.close()
