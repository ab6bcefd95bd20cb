"""Tests that a small file is replaced either completely or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from auditlane.runtime.files import is_accessible_to_others, write_text


def test_the_file_is_replaced_and_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "keys.json"
    for text in ("old", "néw"):
        write_text(path, text)
        assert (path.read_text("utf-8"), path.stat().st_mode & 0o777) == (text, 0o600)
    assert list(tmp_path.iterdir()) == [path], "no temporary file is left"


def test_a_symlink_still_points_to_the_file(tmp_path):
    folder = tmp_path / "real"
    folder.mkdir()
    link = tmp_path / "link"
    link.symlink_to(folder / "file")
    write_text(link, "text")
    assert link.is_symlink()
    assert (folder / "file").read_text() == "text"


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_name_reaches_the_disk_before_it_is_relied_upon(tmp_path, monkeypatch):
    """The file is synced first, and then its folder, so the new file is complete even after a power loss."""
    done = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        done.append((kind, os.fstat(descriptor).st_ino))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", lambda one, other: (done.append(("rename", 0)), replace(one, other))[1])
    write_text(tmp_path / "keys.json", "{}")
    assert done == [
        ("file", (tmp_path / "keys.json").stat().st_ino),
        ("rename", 0),
        ("folder", tmp_path.stat().st_ino),
    ]


@pytest.mark.parametrize(
    ("mode", "accessible"),
    [(0o600, False), (0o640, False), (0o440, False), (0o750, False), (0o660, True), (0o644, True), (0o601, True)],
)
def test_the_group_may_read_if_it_is_one_of_the_process(mode, accessible):
    assert is_accessible_to_others(stat.S_IFREG | mode, 10_001, {10_001}) is accessible
    assert is_accessible_to_others(stat.S_IFREG | mode, 10_001, {0}) is (mode != 0o600)
