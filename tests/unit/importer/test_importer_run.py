"""Tests reading files, auditlane's own line format, the checkpoint, and a whole import."""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
from typing import Any

import pytest

from auditlane.contract.avro import base_schema
from auditlane.contract.wire import unframe
from auditlane.importer import sources
from auditlane.importer.auditlane_lines import AuditlaneLines
from auditlane.importer.checkpoint import Checkpoint, Progress
from auditlane.importer.formats import FORMATS
from auditlane.importer.run import run
from auditlane.importer.sources import Item, Source, opened
from auditlane.runtime.errors import DeliveryFailed, InvalidEvent, InvalidInput
from auditlane.runtime.ids import uuid5
from auditlane.sdk.encoding import Encoder
from auditlane.sdk.results import FlushResult
from auditlane.worker.validation import avro_binary

LINE = {"tenant_id": "acme", "action": "a", "occurred_at": "2026-01-01T00:00:00Z"}


def source(data: bytes) -> Source:
    return Source(io.BytesIO(data))


def lines(data: bytes) -> list[tuple[int, bytes]]:
    return [(item.number, item.text) for item in source(data).lines()]


def test_lines_keep_their_numbers():
    data = b"\xef\xbb\xbfone\r\n\n  two  \n\nthree"
    expected = [(1, b"one"), (3, b"two"), (5, b"three")]
    assert lines(data) == expected
    assert lines(gzip.compress(data)) == expected
    assert lines(gzip.compress(data[:9]) + gzip.compress(data[9:])) == expected
    assert lines(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n") == [(1, b"a"), (2, b"b")]
    assert lines(b"") == []


def test_an_endless_line_is_refused_and_not_buffered(monkeypatch):
    monkeypatch.setattr(sources, "MAX_ITEM_BYTES", 100)
    items = list(source(b"a" * 100 + b"\n" + b"b" * 300_000 + b"\nc").lines())
    assert [(item.number, item.text[:1], bool(item.problem)) for item in items] == [
        (1, b"a", False),
        (2, b"", True),
        (3, b"c", False),
    ]


def test_a_damaged_gzip_is_reported_after_its_good_lines():
    whole = gzip.compress(b"\n".join(os.urandom(20).hex().encode() for _ in range(10_000)))
    seen = 0
    with pytest.raises(InvalidInput, match=r"damaged after the first [0-9]{6} decompressed bytes"):
        for _ in source(whole[: len(whole) // 2]).lines():
            seen += 1
    assert seen > 1_000


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(InvalidInput, match="No such file"), opened(str(tmp_path / "none")):
        pass


def test_a_pipe_is_read_like_a_file_and_has_no_position(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    read, write = os.pipe()
    sent = json.dumps(LINE).encode() + b"\n"
    threading.Thread(target=(tmp_path / "fifo").write_bytes, args=(sent,)).start()
    os.write(write, sent)
    os.close(write)
    for path in (str(tmp_path / "fifo"), f"/dev/fd/{read}"):
        with opened(path) as pipe:
            assert [one.text for one in pipe.lines()] == [sent.strip()]
            assert (pipe.size, pipe.position) == (None, 0)
    os.close(read)


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ['{"a": 1}', "[]"])
def test_utf_16_is_refused_with_a_fix(coding, text):
    for data in (text.encode(coding), gzip.compress(text.encode(coding))):
        with pytest.raises(InvalidInput, match="UTF-16") as raised:
            source(data)
        assert raised.value.fix == "Convert it to UTF-8."


def test_possible_loss_is_reported_even_if_nothing_is_imported():
    from auditlane.cli.import_ import _incomplete, _Summary

    def message(done: Progress, *unread: InvalidInput) -> str:
        summary = _Summary(unit="record", files=1, others=0)
        summary.done, summary.unread = done, [("a.gz", one) for one in unread]
        return str(_incomplete(summary))

    assert "Events after it may be lost." in message(Progress(number=1, refused=1, cut=1))
    assert "Events after 1 of them may be lost." in message(Progress(number=2, refused=2, cut=1))
    assert "Events after 1 of them may be lost." in message(Progress(number=2, sent=1, refused=1, cut=1))
    assert "lost" not in message(Progress(number=1, refused=1))
    assert "1 record was rejected" in message(Progress(number=2, sent=1, refused=1), InvalidInput("It is cut off."))


class Trickle(io.RawIOBase):
    """A pipe that delivers its first bytes one at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece, self._data = self._data[:1], self._data[1:]
        buffer[: len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize("data", [b"one\ntwo", b"o", b""])
def test_gzip_is_recognised_however_its_bytes_arrive(data):
    for sent in (gzip.compress(data), data):
        reading = Source(io.BufferedReader(Trickle(sent)))  # type: ignore[type-var]
        assert [one.text for one in reading.lines()] == data.split()


def item(number: int = 1, **values: Any) -> Item:
    return Item(number, json.dumps(values).encode())


@pytest.mark.parametrize("tenant", ["\ud800", "a\udcff", "a b", ""])
def test_an_invalid_tenant_is_refused_by_its_field(tenant):
    account = {"eventTime": "2026-01-01T00:00:00Z", "recipientAccountId": tenant or "\udfff"}
    for reading, record in (
        (AuditlaneLines(), LINE | {"tenant_id": tenant}),
        (FORMATS["cloudtrail"](None), account),
        (FORMATS["cloudtrail"](None), account | {"eventID": "\ud800"}),
        (FORMATS["cloudtrail"](None), {"userIdentity": {"accountId": account.pop("recipientAccountId")}} | account),
        (FORMATS["cloudtrail"](tenant or "\ud800"), account),
    ):
        with pytest.raises(InvalidEvent) as raised:
            reading.event(item(**record))
        assert raised.value.field == "tenant_id"


def test_a_line_without_an_id_gets_one_from_tenant_line_and_occurrence():
    import hashlib

    first = item(**LINE)
    reading = AuditlaneLines()
    digest = hashlib.sha256(first.text).hexdigest()
    assert [reading.event(first).event_id for _ in range(2)] == [uuid5("acme", digest, "1"), uuid5("acme", digest, "2")]
    resumed = AuditlaneLines()
    resumed.skip(first)
    assert resumed.event(first).event_id == uuid5("acme", digest, "2")
    event_id = "0190f3a4-0000-7000-8000-000000000001"
    assert reading.event(item(**LINE, event_id=event_id)).event_id == event_id


def test_fields_that_an_export_adds_are_not_imported():
    exported = {"ingested_at": "2026-01-31T13:45:01Z", "provenance": "gateway", "provenance_id": "al_1"}
    added = exported | {"content_hash": "0f" * 16, "conflict": True}
    assert AuditlaneLines().event(item(**LINE, **added)).fields == {}


TYPED = [
    ("ok", "boolean", True, "true"),
    ("small", "int", -(2**31), "-2147483648"),
    ("big", "long", 2**63 - 1, "9223372036854775807"),
    ("cost", "float", 0.10000000149011612, "0.1"),
    ("rate", "double", -1e300, "-1e+300"),
    ("huge", "double", float("inf"), "inf"),
    (
        "due",
        {"type": "long", "logicalType": "timestamp-micros"},
        -62_167_219_200_000_000,
        "0000-01-01T00:00:00.000000Z",
    ),
    ("text", "string", "17", "17"),
]


def encoded(line: dict[str, Any], *own: dict[str, Any]) -> dict[str, Any]:
    schema = base_schema()
    schema["fields"] += own
    encoder = Encoder.parse("s", 1, json.dumps(schema))
    _, datum = unframe(encoder.encode(AuditlaneLines().event(item(**line)), 10_000))
    return avro_binary.read(encoder.contract.fields, bytes(datum))


@pytest.mark.parametrize(("name", "kind", "value", "text"), TYPED)
def test_exported_custom_fields_become_their_original_values(name, kind, value, text):
    own = {"name": name, "type": ["null", kind], "default": None}
    assert encoded(LINE | {"fields": {name: text}}, own)[name] == value
    if name not in ("due", "huge"):  # values that JSON cannot express
        assert encoded(LINE | {name: value}, own)[name] == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [("boolean", "True"), ("boolean", "1"), ("int", "1_0"), ("int", " 1"), ("int", "2147483648"), ("long", "1.0"),
     ("long", "9" * 5_000), ("double", "1e999"), ("double", "0x1"), ("double", ""), ("double", "NaN")],
)  # fmt: skip
def test_text_that_no_export_writes_is_not_a_value(kind, text):
    with pytest.raises(InvalidEvent, match="own must be"):
        encoded(LINE | {"fields": {"own": text}}, {"name": "own", "type": ["null", kind], "default": None})


def test_fields_missing_from_a_whole_exported_event_are_null():
    own = {"name": "own", "type": ["string", "null"], "default": "usual"}
    exported = LINE | {"content_hash": "0f" * 16, "ingested_at": "2026-01-31T13:45:01Z", "fields": {}}
    assert encoded(exported, own)["own"] is None
    assert encoded(LINE, own)["own"] == "usual"
    assert encoded(LINE | {"fields": {}}, own)["own"] == "usual"


@pytest.mark.parametrize(
    ("time", "says"),
    [
        ("9999-12-31T23:59:59-05:00", "occurred_at: must be within the years 1 to 9999 in UTC"),
        ("0001-01-01T00:00:00+05:00", "occurred_at: must be within the years 1 to 9999 in UTC"),
        ("9999-12-31T23:59:59.999999-00:01", "occurred_at: must be within"),
        *(
            (number, "occurred_at: must be text, such as")
            for number in (5, 1.5, True, "1700000000", " 1e9", "-1.5", "nan")
        ),
    ],
)
def test_a_time_beyond_the_calendar_or_a_number_is_a_line_error(file, time, says):
    file.write_text("".join(json.dumps(LINE | {"occurred_at": one}) + "\n" for one in (time, LINE["occurred_at"])))
    refused: list[tuple[int, str]] = []
    progress, _ = start(file, FakeClient(), on_refused=lambda number, why: refused.append((number, why)))
    assert (progress.sent, progress.refused, refused[0][0]) == (1, 1, 1)
    assert says in refused[0][1]


def test_custom_fields_may_be_at_the_top_level_or_nested():
    event = AuditlaneLines().event(item(**LINE, project="x", fields={"stage": 2}, resource=None))
    assert (event.fields, event.resource) == ({"project": "x", "stage": 2}, "")


@pytest.mark.parametrize(
    ("text", "tenant", "says"),
    [
        (b"{", None, "not JSON"),
        (b"[1]", None, "not a JSON object"),
        (b"\xff", None, "not UTF-8"),
        (b'{"a": NaN}', None, "NaN"),
        (b"[" * 100_000, None, "nested too deeply"),
        (b'{"action": "a", "occurred_at": "2026-01-01T00:00:00Z"}', None, "--tenant"),
        (json.dumps(LINE).encode(), "other", "not other"),
        (b'{"tenant_id": "a", "action": "a"}', None, "occurred_at"),
        (b'{"tenant_id": "a", "action": "a", "occurred_at": 5}', None, "occurred_at"),
        (b'{"tenant_id": "a", "action": "a", "occurred_at": "2026-01-01T00:00:00"}', None, "offset from UTC"),
        (b'{"tenant_id": "#", "action": "a", "occurred_at": "2026-01-01T00:00:00Z"}', None, "tenant_id"),
        (b'{"tenant_id": "a", "action": "a", "occurred_at": "2026-01-01T00:00:00Z", "fields": 1}', None, "fields"),
    ],
)
def test_an_invalid_line_names_its_problem(text, tenant, says):
    with pytest.raises(InvalidEvent, match=says):
        AuditlaneLines(tenant).event(Item(1, text))


def test_the_tenant_option_applies_to_lines_without_a_tenant():
    assert AuditlaneLines("acme").event(item(action="a", occurred_at=LINE["occurred_at"])).tenant_id == "acme"
    assert AuditlaneLines("acme").event(item(**LINE)).tenant_id == "acme"


def test_a_checkpoint_applies_to_the_unchanged_file_only(tmp_path):
    file = tmp_path / "file"
    file.write_text("a")
    checkpoint = Checkpoint.of(tmp_path / "c", file, ("auditlane", "topic"))
    assert checkpoint.load() == Progress()
    checkpoint.save(Progress(7, 5, 1, 1))
    assert Checkpoint.of(tmp_path / "c", file, ("auditlane", "topic")).load() == Progress(7, 5, 1, 1)
    assert Checkpoint.of(tmp_path / "c", file, ("auditlane", "other")).load() == Progress()
    file.write_text("ab")
    assert Checkpoint.of(tmp_path / "c", file, ("auditlane", "topic")).load() == Progress()
    checkpoint.path.write_text("{torn")
    assert checkpoint.load() == Progress()
    checkpoint.clear()
    assert list((tmp_path / "c").iterdir()) == []


class FakeClient:
    """A client that accepts events. If `fail_at` is n, its nth flush fails."""

    def __init__(self, fail_at: int = 0, interrupt_at: int = 0) -> None:
        self.config = type("Config", (), {"delivery_timeout_ms": 1})
        self.sent: list[str] = []
        self.flushes = 0
        self.fail_at, self.interrupt_at = fail_at, interrupt_at

    def emit(self, event: Any) -> str:
        if event.action == "bad":
            raise InvalidEvent("action is bad", field="action")
        if len(self.sent) + 1 == self.interrupt_at:
            raise KeyboardInterrupt
        self.sent.append(event.event_id)
        return event.event_id

    def flush(self, timeout: float) -> FlushResult:
        self.flushes += 1
        failed = int(self.flushes == self.fail_at)
        return FlushResult(0, failed, (), 0)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(LINE | {"action": "bad" if n == 12 else f"a{n % 3}"}) + "\n" for n in range(25)))
    return path


def start(file, client, **more):
    checkpoint = Checkpoint.of(file.parent / "checkpoints", file, ())
    with opened(str(file)) as source:
        return run(source, AuditlaneLines(), client, checkpoint=checkpoint, batch=10, **more), checkpoint


def test_a_run_counts_reports_and_clears_its_checkpoint(file):
    refused: list[tuple[int, str]] = []
    client = FakeClient()
    progress, checkpoint = start(file, client, on_refused=lambda number, why: refused.append((number, why)))
    assert progress == Progress(number=25, sent=24, known=0, refused=1)
    assert refused == [(13, "action is bad")]
    assert not checkpoint.path.exists()
    again = FakeClient()
    start(file, again)
    assert again.sent == client.sent
    assert len(set(again.sent)) == 24


def test_a_failed_delivery_stops_the_run_before_its_batch(file):
    whole, first, second = FakeClient(), FakeClient(fail_at=2), FakeClient()
    start(file, whole)
    with pytest.raises(DeliveryFailed):
        start(file, first)
    progress, _ = start(file, second)
    assert first.sent[:10] + second.sent == whole.sent, "from the first item that was not acknowledged"
    assert progress == Progress(number=25, sent=24, refused=1)


def test_an_interrupt_skips_nothing_and_repeats_nothing(file):
    whole, first, second = FakeClient(), FakeClient(interrupt_at=8), FakeClient()
    start(file, whole)
    with pytest.raises(KeyboardInterrupt):
        start(file, first)
    start(file, second)
    assert first.sent + second.sent == whole.sent


def test_the_readable_part_of_a_damaged_file_is_imported_and_counted(file):
    text = file.read_bytes() * 100
    file.write_bytes(gzip.compress(text)[:-20])
    client, batches = FakeClient(), []
    with pytest.raises(InvalidInput, match="it is truncated"):
        start(file, client, on_batch=batches.append)
    done = batches[-1]
    assert (done.sent, done.refused) == (len(client.sent), done.number - len(client.sent))
    assert done.number > 2_000
    assert client.flushes == done.number // 10 + 1


def test_known_events_are_not_sent(file):
    whole, rest = FakeClient(), FakeClient()
    start(file, whole)
    progress, _ = start(file, rest, known=set(whole.sent[:20]))
    assert rest.sent == whole.sent[20:]
    assert (progress.known, progress.sent) == (20, 4)


def test_the_command_offers_every_format():
    from auditlane.cli.import_ import Kind

    assert [one.value for one in Kind] == list(FORMATS)
