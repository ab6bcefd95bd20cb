"""Tests the next step of a replay after an interruption, its tokens, and its options."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from auditlane.cli import progress as advance
from auditlane.cli.range_options import by_offsets, by_ranges, selection
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.operations.replay.checkpoint import Checkpoint, Counts, Progress, alone
from auditlane.operations.replay.replay import resumed, tenant
from auditlane.operations.replay.table_target import token
from auditlane.operations.selection import Selection, Slice, Span
from auditlane.runtime.errors import AlreadyRunning, ConfigError, InvalidEvent
from auditlane.store import event_insert
from auditlane.worker.protocol.partition_state import Range

ID = "6f9619ff-8b86-4011-b42d-00c04fc964ff"


def span(first: int, end: int) -> Span:
    return Span(Partition("audit.events", 3), ID, first, end, first)


@pytest.mark.parametrize(
    ("done", "pending", "expected"),
    [
        ({}, None, [(0, 100, False)]),
        ({3: 40}, None, [(40, 100, False)]),
        ({2: 40}, (2, 40, 50), [(0, 100, False)]),  # another partition's
        ({3: 40}, (3, 40, 50), [(40, 50, True), (50, 100, False)]),
        ({}, (3, 0, 50), [(0, 50, True), (50, 100, False)]),
        ({3: 100}, None, [(100, 100, False)]),
        ({3: 400}, None, [(100, 100, False)]),
        ({3: 90}, (3, 90, 110), [(90, 100, False)]),  # the span now ends earlier
    ],
)
def test_it_resumes_and_sends_an_announced_chunk_unchanged(
    done: dict[int, int], pending: tuple[int, int, int] | None, expected: list[tuple[int, int, bool]]
) -> None:
    parts = resumed(span(0, 100), Progress("r", done, pending))
    assert [(part.first, part.end, whole) for part, whole in parts] == expected


def test_an_announced_chunk_whose_beginning_kafka_dropped_is_new_work() -> None:
    parts = resumed(span(45, 100), Progress("r", {3: 40}, (3, 40, 50)))
    assert [(part.first, part.end, whole) for part, whole in parts] == [(45, 100, False)]


def test_tokens_differ_from_those_of_workers_and_other_replays() -> None:
    range_ = Range(Partition("audit.events", 3), ID, 5, 9, Columns(), "", 0)
    assert token("one", range_, 203001) != token("two", range_, 203001)
    assert token("one", range_, 203001) != token("one", range_, 203002)
    assert token("one", range_, 203001) != event_insert.token(range_, 203001)
    assert not event_insert.token(range_, 203001).startswith("replay:")
    fewer = replace(range_, columns=Columns([6], [0], [b"k"], [b"v"]))
    assert token("one", fewer, 203001) != token("one", range_, 203001)  # part of it has been stored in the meantime


@pytest.mark.parametrize(
    ("key", "expected"), [(b"acme", "acme"), (b"acme#3", "acme"), (None, None), (b"", None), (b"\xff", None)]
)
def test_the_tenant_of_a_key(key: bytes | None, expected: str | None) -> None:
    assert tenant(key) == expected


def test_a_checkpoint_round_trips(tmp_path: Path) -> None:
    checkpoint = Checkpoint.of(tmp_path / "replays", {"topic": "a"})
    assert checkpoint.load() is None
    progress = Progress("run", {0: 5, 11: 7}, (0, 5, 9), Counts(read=3, refused={"NOT_FRAMED": 1}))
    checkpoint.save(progress)
    assert checkpoint.load() == progress
    assert Checkpoint.of(tmp_path / "replays", {"topic": "b"}).load() is None
    checkpoint.path.write_text(json.dumps({"run": 1}))
    assert checkpoint.load() is None
    checkpoint.clear()
    checkpoint.clear()
    assert list((tmp_path / "replays").iterdir()) == []


def test_two_replays_into_one_target_exclude_each_other(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from auditlane.operations.replay.checkpoint import alone\n"
        "with alone(Path(sys.argv[1]), sys.argv[2]): print('held', flush=True)"
    )

    def other(target: str) -> int:
        return subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), target], capture_output=True, check=False
        ).returncode

    with alone(tmp_path, "t"):
        assert other("t") != 0
        assert other("u") == 0
        with pytest.raises(AlreadyRunning, match="into t"), alone(tmp_path, "t"):
            pass
    assert other("t") == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0:100-199", Slice(0, 100, 199)),
        ("0:100-", Slice(0, 100, None)),
        ("3:-5", Slice(3, None, 5)),
        ("100-199", Slice(None, 100, 199)),
        ("2:-", Slice(2, None, None)),
    ],
)
def test_each_part_of_a_range_option_may_be_omitted(text: str, expected: Slice) -> None:
    assert by_ranges([text]) == (expected,)


@pytest.mark.parametrize("text", ["", "5", "0:5", "a:1-2", "0:9-8", "0:-1-5"])
def test_a_malformed_range_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        by_ranges([text])
    assert caught.value.field == "--range"


def test_offsets_apply_to_each_partition_or_to_all() -> None:
    assert by_offsets([1, 2], 5, None) == (Slice(1, 5, None), Slice(2, 5, None))
    assert by_offsets(None, 5, 9) == (Slice(None, 5, 9),)
    assert by_offsets(None, None, None) == ()
    with pytest.raises(ConfigError):
        by_offsets(None, 9, 5)


def test_times_and_tenants_limit_the_selection() -> None:
    selected = selection(since="2030-01-31", until="2030-01-31T02:00:00+01:00", tenants=["acme", "_auditlane"])
    assert selected == Selection((), 1_896_048_000_000, 1_896_051_600_000, frozenset({"acme", "_auditlane"}))
    with pytest.raises(ConfigError, match="is not a time"):
        selection(since="yesterday")
    with pytest.raises(ConfigError, match="must be before"):
        selection(since="2030-01-31", until="2030-01-31")
    with pytest.raises(InvalidEvent):
        selection(tenants=["a b"])


def test_a_line_of_progress_has_rate_and_time_left() -> None:
    assert advance.line("x", 5_000, 20_000, 5.0) == "x: 5,000 of 20,000 offsets, 1,000/s, 15 s left"
    assert advance.line("x", 0, 20_000, 5.0) == "x: 0 of 20,000 offsets, 0/s, no offset yet"
