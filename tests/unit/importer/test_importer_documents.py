"""Tests that CloudTrail records are found in any envelope, and that a broken document does not affect others."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import random
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cloudtrail_records import REAL, needs_real
from hypothesis import example, given
from hypothesis import strategies as st

from auditlane.importer import documents, json_stream
from auditlane.importer.cloudtrail import CloudTrail
from auditlane.importer.gunzip import Gunzip
from auditlane.importer.inputs import inputs
from auditlane.importer.sources import Item, Source, opened
from auditlane.runtime.errors import InvalidInput


def record(number: int, **more: Any) -> dict[str, Any]:
    return {"eventID": f"id {number}", "eventTime": "2026-05-01T12:00:00Z", "eventName": f"E{number}", **more}


def document(*numbers: int, **more: Any) -> str:
    return json.dumps({"Records": [record(one) for one in numbers]}, **more)


def items(text: str | bytes) -> list[Item]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(documents.records(Source(io.BytesIO(data))))


def found(text: str | bytes) -> list[str]:
    """Return, for each item, the name of its record, its problem, or the reason for skipping it."""
    return [one.problem or one.note or json.loads(one.text)["eventName"] for one in items(text)]


def good(text: str | bytes) -> list[str]:
    return [json.loads(one.text)["eventName"] for one in items(text) if not (one.problem or one.note)]


@pytest.mark.parametrize("layout", [{}, {"indent": 2}, {"separators": (",", ":")}])
def test_records_are_found_in_any_layout(layout: dict[str, Any]) -> None:
    wanted = [{"n": number, "text": "é" * number * 200, "nested": [{}, []]} for number in range(60)]
    document = json.dumps({"Records": wanted}, ensure_ascii=False, **layout).encode()
    read = [json.loads(item.text) for item in items(document + b"\n" + document)]
    assert read == wanted * 2
    assert [item.text for item in items(b'\xef\xbb\xbf {"Records" : [ 1 , "a" ] } ')] == [b"1", b'"a"']
    for nothing in (b'{"Records": []}', b"[]", b"", b" \n"):
        assert items(nothing) == []


DIGEST = json.dumps({"awsAccountId": "1", "digestStartTime": "2026-05-01T11:00:00Z", "logFiles": []})
LOOKED_UP = {"EventId": "1", "EventName": "E1", "Resources": [], "CloudTrailEvent": json.dumps(record(1))}
LOGGED = {"id": "3", "timestamp": 1_777_000_000_000, "message": json.dumps(record(1))}
BUS = {"version": "0", "id": "x", "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "detail": record(1)}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(record(1)),
        json.dumps(record(1), indent=2),
        json.dumps([record(1)]),
        json.dumps([{"Records": [record(1)]}]),
        json.dumps({"version": "1", "more": {"Records": [1]}, "Records": [record(1)], "after": [1, {"a": "]}"}]}),
        json.dumps({"Events": [LOOKED_UP], "NextToken": "x"}),
        json.dumps({"events": [LOGGED], "searchedLogStreams": []}),
        json.dumps({"messageType": "DATA_MESSAGE", "owner": "1", "logEvents": [LOGGED]}),
        json.dumps(BUS),
        json.dumps([BUS], indent=4),
        json.dumps({"Records": [BUS]}),
        json.dumps(LOOKED_UP),
        json.dumps(LOGGED),
        json.dumps({"data": {"Records": [record(1)]}}),
        json.dumps({"data": {"more": 1, "page": {"Events": [LOOKED_UP], "a": {}}, "b": []}, "after": {"c": [1]}}),
        json.dumps([{"body": {"Records": [record(1)]}}]),
        json.dumps({"statusCode": 200, "body": {"Records": [record(1)]}, "headers": {"a": "b"}}),
        json.dumps({"eventName": "x", "Records": [record(1)]}),
        json.dumps({"pages": [{"Records": [record(1)]}]}),
        json.dumps({"items": [record(1)]}),
        json.dumps([json.dumps(record(1))]),
        json.dumps(json.dumps(record(1))),
        json.dumps({"message": json.dumps(record(1))}),
        json.dumps({"Records": [{"messageId": "1", "body": json.dumps(record(1))}]}),
        json.dumps({"Messages": [{"MessageId": "1", "Body": json.dumps(BUS)}]}),
        json.dumps({"Type": "Notification", "Message": json.dumps({"Records": [record(1)]})}),
        json.dumps({"Records": [{"Sns": {"Message": json.dumps(record(1))}}]}),
        json.dumps({"Records": [{"body": json.dumps({"Type": "Notification", "Message": json.dumps(BUS)})}]}),
        json.dumps({"body": document(1)}),
        "2026-05-01T12:00:00.000Z " + json.dumps(record(1)),
        "2026-05-01T12:00:00+00:00\t" + json.dumps(record(1), indent=1),
    ],
)
def test_a_record_is_found_in_any_wrapper(text: str) -> None:
    assert found(text) == ["E1"]
    assert found(text + "\n" + text) == ["E1", "E1"]
    assert found(document(5) + text + document(6)) == ["E5", "E1", "E6"]


def test_a_record_is_unchanged_whatever_it_contains() -> None:
    own = {"requestParameters": {"events": [LOGGED], "Records": [record(7)]}, "message": json.dumps(record(8))}
    for whole in (record(1, **own), {**own, **record(1)}):
        assert found(json.dumps(whole)) == found(json.dumps({"Records": [whole]})) == ["E1"]
        assert found(json.dumps(BUS | {"detail": whole})) == ["E1"]
        assert found(json.dumps({"CloudTrailEvent": json.dumps(whole)})) == ["E1"]


def test_a_list_within_an_object_that_is_too_long_or_cut_off_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (json_stream, documents):
        monkeypatch.setattr(module, "MAX_ITEM_BYTES", 100_000)
    long = json.dumps({"a": {"b": {"Records": [record(one) for one in range(5_000)], "c": 1}, "d": 1}, "e": 1})
    assert good(long + document(9)) == [f"E{one}" for one in range(5_000)] + ["E9"]
    assert good(json.dumps({"a": {"b": {"Records": [record(1), record(2)]}}})[:-30] + document(9)) == ["E1", "E9"]


def test_nested_json_strings_are_parsed_to_a_limited_depth() -> None:
    text = json.dumps(record(1))
    for _ in range(8):
        text = json.dumps({"body": text})
    assert len(items(text)) == 1


def test_the_text_of_a_record_is_kept_unchanged() -> None:
    text = '{"eventName" : "E1",  "n": 1.00}'
    for wrapped in (text, f"[\n{text}\n]", f'{{"Records":[{text}]}}', f'{{"detail-type":"x","detail": {text} }}'):
        assert [one.text for one in items(wrapped)] == [text.encode()]
    inner = json.dumps({"Events": [{"CloudTrailEvent": text}]})
    assert [one.text for one in items(inner)] == [text.encode()]


def test_documents_without_events_are_skipped() -> None:
    control = {"messageType": "CONTROL_MESSAGE", "logEvents": [LOGGED | {"message": "CWL CONTROL MESSAGE: healthy?"}]}
    first, digest, message, last = items(document(1) + DIGEST + json.dumps(control) + document(2))
    assert "digest" in digest.note
    assert "control message" in message.note
    assert [first.note, last.note, digest.problem, message.problem] == [""] * 4


@pytest.mark.parametrize(
    ("text", "names", "whole"),
    [
        (document(1)[:-2] + ",]}" + document(2), "E1 E2", True),
        (document(1) + "," + document(2) + ",", "E1 E2", True),
        (document(1, 2)[:-30] + document(3, 4) + document(5), "E1 E3 E4 E5", False),
        (document(1, 2)[:-2] + "," + document(3) + document(4), "E1 E2 E3 E4", False),
        (document(1)[:-1] + document(2), "E1 E2", False),
        (document(1)[:-2] + document(2), "E1 E2", False),
        ('{"Rec' + document(1), "E1", False),
        ('{"Records": [' + document(1), "E1", False),
        ('{"Records": [{"userAgent": "Mozil' + document(1) + document(2), "E1 E2", False),
        ('{"Records": [{"userAgent": "Mozil\\' + document(1), "E1", False),
        (document(1)[:-2] + ',{"a": 1,},' + json.dumps(record(2)) + "]}", "E1 E2", False),
        (document(1)[:-2] + ",oops," + json.dumps(record(2)) + "]}", "E1 E2", False),
        (document(1)[:-1] + ', "more": oops}' + document(2), "E1 E2", False),
        (document(1)[:-1] + "x" + document(2), "E1 E2", False),
        (json.dumps(record(1)) + "\n{broken\n" + json.dumps(record(2)), "E1 E2", False),
        ("oops\n" + json.dumps(record(1)), "E1", False),
        ('"a\n' + json.dumps(record(1)), "E1", False),
        ('{"a": "\n' + json.dumps(record(1)), "E1", False),
        ('{"a": {"b": 1}\n' + json.dumps(record(1)), "E1", False),
        (json.dumps(record(1), indent=2)[:-30] + "\n" + json.dumps(record(2), indent=2), "E2", False),
        ("[" * 100_000 + "\n" + json.dumps(record(1)), "E1", False),
        (
            document(1)[:-2] + ', {"eventName": oops, "x": [{"version": 1}, {"version": oops}]}, ' + document(2)[13:],
            "E1 E2",
            False,
        ),
        ("}{", "", False),
        ('"', "", False),
    ],
)
def test_a_broken_document_costs_no_more_than_itself(text: str, names: str, whole: bool) -> None:
    assert good(text) == names.split()
    assert whole is not any(one.problem for one in items(text))


@pytest.mark.parametrize("end", ['{"a": 1', '{"a": 1}', '{"a": 1},', '{"a": 1}]', "oops]}", '"', "{"])
def test_a_truncated_document_is_reported(end: str) -> None:
    first, *_, last = items(f'{{"Records": [{{"first": 1}}, {end}')
    assert json.loads(first.text) == {"first": 1}
    assert last.problem


@given(st.integers(0, 2_000), st.integers(1, 3), st.booleans())
def test_wherever_a_document_is_cut_off_the_next_ones_are_read(at: int, layout: int, lined: bool) -> None:
    cut = document(1, 2, 3, indent=layout - 1 or None)
    cut = cut[: at % len(cut)]
    whole = good(cut + "\n" * lined + document(7, 8) + document(9))
    assert whole[-3:] == ["E7", "E8", "E9"]
    assert whole[:-3] == ["E1", "E2", "E3"][: len(whole) - 3]
    assert len(whole) - 3 >= cut.count("}") - 1


JOINED = {
    "array": json.dumps([record(7), record(8)]),
    "compact array": json.dumps([record(7), record(8)], separators=(",", ":")),
    "pretty array": json.dumps([record(7), record(8)], indent=4),
    "pretty record": json.dumps(record(7), indent=2) + json.dumps(record(8), indent=2),
    "a record of the trail": json.dumps({"eventVersion": "1.08", **record(7)}) + json.dumps(record(8)),
    "lookup-events": json.dumps({"Events": [LOOKED_UP | {"CloudTrailEvent": json.dumps(record(7))}] * 2}, indent=4),
    "another key first": json.dumps({"version": "1", "Records": [record(7), record(8)]}),
    "a subscription": json.dumps({"messageType": "DATA_MESSAGE", "owner": "1", "logEvents": [LOGGED, LOGGED]}) * 2,
    "EventBridge": json.dumps(BUS) + json.dumps(BUS | {"detail": record(8)}),
}


@pytest.mark.parametrize("joined", JOINED)
def test_a_document_after_a_truncated_one_is_read(joined: str) -> None:
    own = {"requestParameters": {"version": "1", "events": [{"eventName": "no event"}]}, "resources": [{"version": 1}]}
    cut = json.dumps({"Records": [record(1, **own), record(2, **own), record(3, **own)]})
    wanted = good(JOINED[joined])
    assert len(wanted) >= 2
    for at in range(1, len(cut)):
        values = [json.loads(one.text) for one in items(cut[:at] + JOINED[joined]) if not one.problem]
        read = [one["eventName"] for one in values if isinstance(one, dict) and "eventName" in one]
        assert read[-len(wanted) :] == wanted, cut[:at]
        assert "no event" not in read or cut[at - 1] in "}]", "the joined text may begin after it"


@example(b"[")
@given(st.binary(max_size=60))
def test_no_input_breaks_the_splitting(data: bytes) -> None:
    with suppress(InvalidInput):  # gzip data without a complete member is reported as damaged
        items(data)
    # Only text items, since `data` may open an array that is never closed. That is reported as a problem at the end.
    read = [item.text for item in items(b"\n" + data.replace(b"\x1f", b"") + b"\n" + document(1).encode()) if item.text]
    assert json.loads(read[-1]) == record(1)


def test_a_stream_that_arrives_byte_by_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "CHUNK_BYTES", 1)
    text = document(1, 2, indent=1) + DIGEST + document(3)[:-8] + document(4) + json.dumps(record(5)) + json.dumps(BUS)
    assert good(text) == ["E1", "E2", "E3", "E4", "E5", "E1"] or good(text) == ["E1", "E2", "E4", "E5", "E1"]


def test_an_oversized_document_is_skipped_and_the_next_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (json_stream, documents):
        monkeypatch.setattr(module, "MAX_ITEM_BYTES", 100_000)
    long = json.dumps({"Records": [record(1), record(2, long="x" * 1_000_000)]})
    assert good(long + document(3)) == ["E1", "E3"]


def test_the_readable_part_of_a_damaged_gzip_is_read() -> None:
    text = "".join(json.dumps(record(number, more=random.Random(number).random())) + "\n" for number in range(5_000))
    whole = gzip.compress(text.encode())
    for damaged in (whole[: len(whole) // 2], whole[:-1], whole + b"junk", whole[:-8] + b"12345678"):
        read: list[Item] = []
        with pytest.raises(InvalidInput, match="damaged after the first"):
            read.extend(documents.records(Source(io.BytesIO(damaged))))
        assert len(read) > 2_000
        assert [json.loads(one.text)["eventName"] for one in read if not one.problem] == [
            f"E{number}" for number in range(sum(not one.problem for one in read))
        ]


@example(14, 30, 1)
@given(st.integers(0, 10_000), st.integers(1, 255), st.integers(1, 40))
def test_a_corrupt_byte_in_gzip_loses_only_what_follows(at: int, wrong: int, size: int) -> None:
    text = random.Random(size).randbytes(size * 20).hex().encode()
    whole = gzip.compress(text)
    at = 10 + at % (len(whole) - 10)
    reader = Gunzip(io.BufferedReader(io.BytesIO(whole[:at] + bytes([whole[at] ^ wrong]) + whole[at + 1 :])))  # type: ignore[type-var]
    data = io.BufferedReader(reader).read()
    assert reader.damage or data == text, "only a bit without an effect is not reported as damage"
    assert reader.given == len(data)
    alone = zlib.decompressobj(wbits=31)
    readable = b"".join(alone.decompress(whole[byte : byte + 1]) for byte in range(at))
    assert data.startswith(readable)


def test_a_small_gzip_with_a_wrong_checksum_is_fully_read() -> None:
    whole = bytearray(gzip.compress(document(1, 2, 3).encode()))
    whole[-8] ^= 1
    read: list[Item] = []
    with pytest.raises(InvalidInput, match="incorrect data check"):
        read.extend(documents.records(Source(io.BytesIO(whole))))
    assert [json.loads(one.text)["eventName"] for one in read] == ["E1", "E2", "E3"]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(0, 2_000))
def test_gzip_is_read_in_any_number_of_members(parts: list[bytes], zeros: int) -> None:
    data = b"".join(map(gzip.compress, parts)) + b"\0" * zeros
    reader = Gunzip(io.BufferedReader(io.BytesIO(data)))  # type: ignore[type-var]
    assert io.BufferedReader(reader).read() == b"".join(parts)
    assert (reader.damage, reader.given) == ("", sum(map(len, parts)))


def test_files_folders_and_patterns(tmp_path: Path) -> None:
    for name in ("b.json", "a/2.json.gz", "a/1.jsonl", "a/readme.txt", "c[1].json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()

    def names(*patterns: str) -> list[str]:
        return [str(Path(one).relative_to(tmp_path)) for one in inputs([f"{tmp_path}/{one}" for one in patterns]).files]

    assert names("a") == ["a/1.jsonl", "a/2.json.gz"]
    assert names("*.json", "a/readme.txt", "b.json") == ["b.json", "c[1].json", "a/readme.txt"]
    assert names("c[1].json") == ["c[1].json"]
    assert names("**/*.json*") == ["a/1.jsonl", "a/2.json.gz", "b.json", "c[1].json"]
    assert inputs([str(tmp_path)]).others == 1
    assert inputs(["-"]).files == ("-",)
    for nothing, says in (("none-*.json", "matches"), ("empty", "no file")):
        with pytest.raises(InvalidInput, match=says):
            names(nothing)
    assert inputs(["missing.json"]).files == ("missing.json",), "a missing file is reported when it is opened"


def test_an_unreadable_folder_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/1.json", "b/2.json", "c/3.json"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "c" / "4.json").symlink_to(tmp_path / "none")
    os.mkfifo(tmp_path / "c" / "5.json")
    scandir = os.scandir

    def scanned(path: str) -> Any:
        if str(path).endswith("/b"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scanned)
    read = inputs([str(tmp_path)])
    assert [Path(one).name for one in read.files] == ["1.json", "3.json", "4.json"]
    [(folder, error)] = read.unread
    assert folder == str(tmp_path / "b")
    assert "Permission denied" in error.message
    assert inputs([folder]).files == ()
    assert len(inputs([folder]).unread) == 1


@needs_real
def test_real_records_are_all_events() -> None:
    files = [one for one in inputs([str(REAL.parent)]).files if "LICENSE" not in one]
    count = 0
    for file in files:
        reading = CloudTrail("acme")
        with opened(file) as source:
            for item in reading.items(source):
                reading.event(item)
                count += 1
    assert count >= 2_000
