"""Tests the checks of the spool folder."""

from __future__ import annotations

import os

import pytest

from auditlane.runtime.errors import ConfigError
from auditlane.sdk.spool import folder

MOUNTS = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
31 22 0:27 / /mnt rw,relatime - nfs4 files:/export rw,vers=4.2
32 31 254:2 / /mnt/local rw - xfs /dev/vdb rw
33 22 0:28 / /with\\040space rw - fuse.sshfs host:/ rw
34 22 0:29 / /mntother rw - tmpfs tmpfs rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/spool", ""),
        ("/mnt", "nfs4"),
        ("/mnt/a/b", "nfs4"),
        ("/mnt/local/a", ""),
        ("/mntother", ""),
        ("/with space/a", "fuse.sshfs"),
        ("/", ""),
    ],
)
def test_network_file_systems_are_recognised(path, kind):
    assert folder.network_file_system(MOUNTS, path) == kind


def test_a_folder_on_a_network_file_system_is_refused(tmp_path, monkeypatch):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / {tmp_path} rw - nfs4 files:/export rw\n")
    monkeypatch.setattr(folder, "_MOUNTS", mounts)
    with pytest.raises(ConfigError, match=r"The spool folder .* network file system \(nfs4\).*local disk"):
        folder.check(tmp_path / "spool")


def test_a_folder_is_created_for_its_owner_only(tmp_path):
    folder.check(tmp_path / "a" / "spool")
    assert (tmp_path / "a" / "spool").stat().st_mode & 0o777 == 0o700
    assert [*(tmp_path / "a" / "spool").iterdir()] == []


def test_a_path_that_is_not_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match=r"User \d+ cannot create files in the spool folder .*Create the folder"):
            folder.check(path)


def test_a_folder_that_is_not_writable_is_refused(tmp_path):
    path = tmp_path / "spool" if os.geteuid() else "/proc/spool"  # root may write to any other folder
    if os.geteuid():
        path.mkdir(mode=0o500)
    with pytest.raises(ConfigError, match="cannot create files in the spool folder"):
        folder.check(type(tmp_path)(path))


def test_sets_are_listed_in_the_order_of_their_creation(tmp_path, monkeypatch):
    times = iter([5_000_000_000, 1_000_000, 2_000_000])
    monkeypatch.setattr(folder.time, "time_ns", lambda: next(times))
    late, early, later = (folder.create_set(tmp_path) for _ in range(3))
    (tmp_path / "damaged").mkdir()
    assert folder.sets(tmp_path) == [early, later, late]
    assert folder.sets(tmp_path / "missing") == []
    (late / "a").write_bytes(bytes(10))
    assert (folder.size(late), folder.size(early), folder.size(tmp_path / "missing")) == (10, 0, 0)
