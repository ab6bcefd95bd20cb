"""Tests records in files. They are durable, limited in size, and sent by the first process that is able to."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from auditlane.runtime.spool import BATCH, Drained, FileSpool, NoSpool


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
    return sorted((folder / "trail").iterdir())


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
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change a file's owner")
def test_files_written_by_root_belong_to_the_service(tmp_path):
    os.chown(tmp_path, 65_534, 65_534)
    spool_in(tmp_path).append([b"one"])
    [file] = files(tmp_path)
    assert {path.stat().st_uid for path in (file, file.parent)} == {65_534}


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
    assert spool.drain(sent).sent == BATCH + 1, "the whole file is sent again"


def test_another_process_drains_released_files_only(tmp_path):
    left, mine, other = spool_in(tmp_path), spool_in(tmp_path), spool_in(tmp_path)
    left.append([b"left"])
    left.drain(Sent(takes=0))  # releases the file, as a process does when it ends
    mine.append([b"mine"])
    sent = Sent()
    assert other.drain(sent) == Drained(sent=1)
    assert sent.records == [b"left"]
    assert mine.drain(sent) == Drained(sent=1)


def test_a_killed_process_leaves_its_file_to_the_next(tmp_path):
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from auditlane.runtime.spool import FileSpool
        FileSpool(Path(sys.argv[1]), most_bytes=10_000).append([b"kept"])
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "trail")], check=False)
    sent = Sent()
    assert spool_in(tmp_path).drain(sent) == Drained(sent=1)
    assert sent.records == [b"kept"]


@pytest.mark.parametrize("cut", [1, 5, 11])
def test_a_truncated_end_is_counted_and_the_rest_is_sent(tmp_path, cut):
    spool, sent = spool_in(tmp_path), Sent()
    spool.append([b"whole", b"torn"])
    [file] = files(tmp_path)
    os.truncate(file, file.stat().st_size - cut)
    assert spool.drain(sent) == Drained(sent=1, damaged=1)
    assert sent.records == [b"whole"]


def test_a_changed_line_is_not_a_record(tmp_path):
    spool, sent = spool_in(tmp_path), Sent()
    spool.append([b"one", b"two", b"three"])
    [file] = files(tmp_path)
    file.write_bytes(file.read_bytes().replace(b"two", b"owt"))
    assert spool.drain(sent) == Drained(sent=2, damaged=1)
    assert sent.records == [b"one", b"three"]


def test_all_files_together_are_bounded(tmp_path):
    first, second = spool_in(tmp_path, 100), spool_in(tmp_path, 100)
    assert first.append([b"x" * 30] * 2) == 2
    assert second.append([b"x" * 30]) == 0
    assert second.append([b"y", b"z" * 30]) == 1, "nothing is kept from the first record on that does not fit"
    assert first.size() <= 100


def test_a_full_disk_leaves_complete_records(tmp_path, monkeypatch):
    spool, sent = spool_in(tmp_path), Sent()
    spool.append([b"one"])
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        write(descriptor, bytes(data)[:4])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        spool.append([b"two"])
    monkeypatch.setattr(os, "write", write)
    assert spool.append([b"three"]) == 1
    assert spool.drain(sent) == Drained(sent=2)
    assert sent.records == [b"one", b"three"]


def test_a_record_has_no_line_break(tmp_path):
    with pytest.raises(ValueError, match="line break"):
        spool_in(tmp_path).append([b"a\nb"])


def test_without_a_spool_nothing_is_kept():
    spool = NoSpool()
    assert (spool.append([b"x"]), spool.size(), spool.drain(Sent())) == (0, 0, Drained())
