"""Restricts this process to its own files, with Landlock, which Linux supports from 5.19 on.

The restriction applies to everything that the process and its children open afterwards, and cannot be lifted.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import auditlane
from auditlane.runtime.errors import MissingExtra

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # system call numbers, the same on every architecture
_PR_SET_NO_NEW_PRIVS = 38
_VERSION = 1
_BENEATH = 1
# Versions that added each right. Before version 2, moving a file to another folder was denied.
_REFER_SINCE, _TRUNCATE_SINCE = 2, 3
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_UP_TO_REFER, _TRUNCATE = (1 << 14) - 1, 1 << 14
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | 1 << 1 | _READ_FILE | _TRUNCATE


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled", ctypes.c_uint64),)


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


# Not all of /proc: a process's environment may contain secrets. Without auxv, ClickHouse looks for the auxiliary vector
# behind `environ`, which is arbitrary memory once Python has set a variable, and crashes.
_SYSTEM = [
    "/usr",
    "/lib",
    "/lib64",
    "/sys",
    "/dev/null",
    "/dev/urandom",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/stat",
]
_SYSTEM += [
    f"/proc/self/{name}" for name in ["auxv", "cgroup", "fd", "maps", "mountinfo", "mounts", "stat", "statm", "status"]
]


def readable_paths(package: str) -> list[Path]:
    """Return the paths that a Python process reads when it uses this package. Raises MissingExtra."""
    found = find_spec(package)
    if found is None or not found.origin:
        raise MissingExtra(f"{package} is not installed.", fix="Install it: pip install 'auditlane[local]'")
    own = [sys.prefix, sys.base_prefix, *auditlane.__path__]
    return [*map(Path, own), Path(found.origin).parents[1], *map(Path, _SYSTEM)]


def confine(own: Iterable[Path], readable: Iterable[Path]) -> bool:
    """Restrict this process to using files below `own` and reading files below `readable`. Paths may be missing.

    Call this before starting threads, since it applies to the calling thread and the threads that it starts. Returns
    False without any restriction if the kernel does not support this.
    """
    if sys.platform != "linux":
        return False
    kernel = ctypes.CDLL(None, use_errno=True)
    version = kernel.syscall(_CREATE, None, 0, _VERSION)
    if version < _REFER_SINCE:
        return False
    every = _UP_TO_REFER | (_TRUNCATE if version >= _TRUNCATE_SINCE else 0)
    rules = _Ruleset(every)
    ruleset = kernel.syscall(_CREATE, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    if ruleset < 0:
        return False
    try:
        for paths, allowed in ((own, every), (readable, _READ)):
            for path in paths:
                _allow(kernel, ruleset, path, allowed & every)
        bound = kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 and kernel.syscall(_RESTRICT, ruleset, 0) == 0
    finally:
        os.close(ruleset)
    return bool(bound)


def _allow(kernel: ctypes.CDLL, ruleset: int, path: Path, allowed: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rule = _Rule(allowed if path.is_dir() else allowed & _OF_FILES, parent)
        kernel.syscall(_ADD, ruleset, _BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(parent)
