"""Tests records in files. They are durable, limited in size, and sent by the first process that is able to."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest
from limits import files_limited_to

from auditlane.sdk.spool.frames import HEADER_BYTES
from auditlane.trail.spooling import BATCH, FRAME_BYTES, Drained, FileSpool, NoSpool


class Sent:
    """Accepts at most `takes` records."""

    def __init__(self, *, takes: int = 10**9) -> None:
        self.takes = takes
        self.records: list[bytes] = []

    def __call__(self, records: Sequence[bytes]) -> bool:
        if len(self.records) + len(records) > self.takes:
            return False
        self.records += records
        return True


def spool_in(folder: Path, most_bytes: int = 1 << 20) -> FileSpool:
    return FileSpool(folder / "trail", most_bytes=most_bytes)


def files(folder: Path) -> list[Path]:
    """Return the segments."""
    return sorted((folder / "trail").glob("*.set/*.segment"))


def test_appended_records_are_sent_in_order_and_removed(tmp_path):
    spool, sent = spool_in(tmp_path), Sent()
    assert spool.append([b"one", b"two"]) == 2
    assert spool.append([b"three"]) == 1
    assert len(files(tmp_path)) == 1
    assert spool.size() > 0
    assert spool.drain(sent) == Drained(sent=3)
    assert sent.records == [b"one", b"two", b"three"]
    assert (spool.size(), files(tmp_path)) == (0, [])
    assert spool.append([b"four"]) == 1, "it continues with another file"


def test_files_are_readable_by_their_owner_only(tmp_path):
    spool_in(tmp_path).append([b"one"])
    [file] = files(tmp_path)
    assert {path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (file.parent, tmp_path / "trail")} == {0o700}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change a file's owner")
def test_files_written_by_root_belong_to_the_service(tmp_path):
    os.chown(tmp_path, 65_534, 65_534)
    spool_in(tmp_path).append([b"one"])
    [file] = files(tmp_path)
    paths = [*file.parent.iterdir(), file.parent, file.parent.parent]
    assert len(paths) == 4
    assert {path.stat().st_uid for path in paths} == {65_534}


def test_without_records_there_is_no_folder(tmp_path):
    spool = spool_in(tmp_path)
    assert spool.append([]) == 0
    assert spool.drain(Sent()) == Drained()
    assert list(tmp_path.iterdir()) == []


def test_refused_records_stay(tmp_path):
    spool = spool_in(tmp_path)
    spool.append([b"%d" % n for n in range(BATCH + 1)])
    assert spool.drain(Sent(takes=BATCH)) == Drained(sent=BATCH, complete=False)
    sent = Sent()
    assert spool.drain(sent) == Drained(sent=1)
    assert sent.records == [b"%d" % BATCH], "those that were delivered are not sent again"
    assert spool.size() == 0


def test_records_wait_if_sending_raises(tmp_path):
    spool = spool_in(tmp_path)
    spool.append([b"one"])
    with pytest.raises(ZeroDivisionError):
        spool.drain(lambda _: 1 // 0 == 0)
    assert spool.drain(sent := Sent()) == Drained(sent=1)
    assert sent.records == [b"one"]


def test_what_another_process_delivered_is_not_sent_again(tmp_path):
    spool = spool_in(tmp_path)
    spool.append([b"%d" % n for n in range(BATCH + 1)])
    spool.release()
    assert spool_in(tmp_path).drain(Sent(takes=BATCH)) == Drained(sent=BATCH, complete=False)
    assert spool_in(tmp_path).drain(sent := Sent()) == Drained(sent=1)
    assert sent.records == [b"%d" % BATCH]


def test_records_that_are_spooled_again_while_they_are_sent_wait_for_the_next_drain(tmp_path):
    spool = spool_in(tmp_path)
    spool.append([b"one"])
    assert spool.drain(lambda records: spool.append(records) == len(records)) == Drained(sent=1)
    assert spool.drain(sent := Sent()) == Drained(sent=1)
    assert sent.records == [b"one"]


def test_another_process_drains_released_files_only(tmp_path):
    left, mine, other = spool_in(tmp_path), spool_in(tmp_path), spool_in(tmp_path)
    left.append([b"left"])
    left.release()  # as a process does when it ends
    mine.append([b"mine"])
    sent = Sent()
    assert other.drain(sent) == Drained(sent=1)
    assert sent.records == [b"left"]
    assert mine.drain(sent) == Drained(sent=1)


def test_a_killed_process_leaves_its_file_to_the_next(tmp_path):
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from auditlane.trail.spooling import FileSpool
        FileSpool(Path(sys.argv[1]), most_bytes=10_000).append([b"kept"])
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "trail")], check=False)
    sent = Sent()
    assert spool_in(tmp_path).drain(sent) == Drained(sent=1)
    assert sent.records == [b"kept"]


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_an_incomplete_end_is_ignored_and_the_rest_is_sent(tmp_path, cut):
    spool, sent = spool_in(tmp_path), Sent()
    spool.append([b"whole", b"torn"])
    [file] = files(tmp_path)
    spool.release()
    os.truncate(file, file.stat().st_size - cut)
    assert spool.drain(sent) == Drained(sent=1), "the `append` of the other had not returned"
    assert sent.records == [b"whole"]
    assert files(tmp_path) == []


@pytest.mark.parametrize("released", [False, True])
def test_a_damaged_record_is_counted_and_set_aside(tmp_path, released):
    spool, sent = spool_in(tmp_path), Sent()
    spool.append([b"one", b"two", b"three"])
    if released:
        spool.release()
    [file] = files(tmp_path)
    file.write_bytes(file.read_bytes().replace(b"two", b"owt"))
    assert spool.drain(sent) == Drained(sent=2, damaged=1)
    assert sent.records == [b"one", b"three"]
    [damaged] = (tmp_path / "trail" / "damaged").iterdir()
    assert b"owt" in damaged.read_bytes()
    assert spool.drain(sent) == Drained()


def test_all_files_together_are_bounded(tmp_path):
    most = 2 * (FRAME_BYTES + 30) + 2 * HEADER_BYTES + FRAME_BYTES + 1
    first, second = spool_in(tmp_path, most), spool_in(tmp_path, most)
    assert first.append([b"x" * 30] * 2) == 2
    assert second.append([b"x" * 30]) == 0
    assert second.append([b"y", b"z" * 30]) == 1, "nothing is kept from the first record on that does not fit"
    assert first.size() == most


def test_a_write_that_ends_early_leaves_complete_records(tmp_path):
    spool, sent = spool_in(tmp_path), Sent()
    spool.append([b"one"])
    [file] = files(tmp_path)
    with files_limited_to(file.stat().st_size + 4), pytest.raises(OSError, match="File too large"):
        spool.append([b"two"])
    assert spool.append([b"three"]) == 1
    assert spool.drain(sent) == Drained(sent=2)
    assert sent.records == [b"one", b"three"]


def test_without_a_spool_nothing_is_kept():
    spool = NoSpool()
    assert (spool.append([b"x"]), spool.size(), spool.drain(Sent())) == (0, 0, Drained())
