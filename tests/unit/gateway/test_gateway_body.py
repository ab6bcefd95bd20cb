"""Tests splitting a body into lines, however the body is split into chunks, parsing the lines, and counting the
results.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator

import pytest
from fastapi.responses import JSONResponse
from hypothesis import given
from hypothesis import strategies as st

from auditlane.gateway import body
from auditlane.gateway.body import LineSplitter, value_of
from auditlane.gateway.ingest_service import SLICE, Result
from auditlane.gateway.request_batch import KEPT, BatchResult, answer, post, rendered
from auditlane.gateway.sender import Sender
from auditlane.runtime.errors import (
    BodyTooLarge,
    EventTooLarge,
    InvalidEvent,
    InvalidInput,
    KafkaUnavailable,
    MediaTypeUnsupported,
)
from auditlane.runtime.ids import uuid7

LONGEST = 40


def cut(text: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[begin:end] for begin, end in itertools.pairwise(ends)] or [b""]


async def pieces_of(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def read(coroutine):
    return asyncio.run(coroutine)


# Lines


@given(
    st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"")), max_size=12),
    st.lists(st.integers(0, 10_000), max_size=20),
    st.booleans(),
)
def test_lines_are_the_same_wherever_pieces_end(texts, places, ends_with_newline):
    whole = b"\n".join(texts) + b"\n" * ends_with_newline
    lines = LineSplitter(LONGEST)
    found = [line for piece in cut(whole, places) for line in lines.feed(piece)] + lines.end()
    split = whole.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if whole.startswith(b"\xef\xbb\xbf"):
        assert len(found) == len([one for one in split if one.strip() or len(one) > LONGEST])
        return
    expected = [one.strip() if len(one) <= LONGEST else None for one in split if one.strip() or len(one) > LONGEST]
    assert [None if isinstance(line, EventTooLarge) else line for line in found] == expected


@given(st.lists(st.integers(0, 10_000), max_size=30))
def test_no_more_than_a_line_is_buffered(places):
    lines = LineSplitter(LONGEST)
    for piece in cut(b"x" * 10_000, places):
        lines.feed(piece)
        assert sum(map(len, lines._unfinished)) <= LONGEST
    [line] = lines.end()
    assert isinstance(line, EventTooLarge)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_value_or_an_invalid_event(text):
    found = value_of(text)
    try:
        expected = json.loads(text.decode())
    except (ValueError, RecursionError):
        assert isinstance(found, InvalidEvent)
    else:
        assert found == expected or isinstance(found, InvalidEvent)  # NaN is not valid JSON


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"{", "Expecting property name"),
        (b"NaN", "NaN is not a JSON number."),
        (b'{"a": Infinity}', "Infinity is not a JSON number."),
        (b'{"a": 1e400}', "1e400 exceeds the range of a 64-bit number."),
        (b"[-1.5e999]", "-1.5e999 exceeds the range of a 64-bit number."),
        (b"\xff", "not UTF-8 at byte 1."),
        (b"[" * 100_000, "nested too deeply."),
        (b"1" * 5_000, "a whole number has more than 4300 digits."),
    ],
)
def test_invalid_json_is_reported(text, problem):
    message = str(value_of(text))
    assert message.startswith("The line is not JSON: ")
    assert problem in message
    with pytest.raises(InvalidInput) as raised:
        read(body.document(pieces_of([text])))
    assert problem in raised.value.message


# Bodies


@pytest.mark.parametrize(
    ("content_type", "lines"),
    [
        ("application/json", False),
        ("application/json; charset=UTF-8", False),
        ("application/x-ndjson", True),
        ("Application/JSONL ; charset=utf-8", True),
    ],
)
def test_the_content_type_tells_lines_from_a_document(content_type, lines):
    assert body.is_lines(content_type) is lines


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json; charset=latin-1"])
def test_other_types_are_refused(content_type):
    with pytest.raises(MediaTypeUnsupported):
        body.is_lines(content_type)


def test_a_document_is_an_object_or_an_array():
    assert read(body.document(pieces_of([b'{"a":', b"1}"]))) == [{"a": 1}]
    assert read(body.document(pieces_of([b"[1, {}]"]))) == [1, {}]
    assert read(body.document(pieces_of([b"\xef\xbb", b"\xbf[1]"]))) == [1]
    for text in (b"", b"7", b"[1", b"\xff", b"[NaN]", b"\xef\xbb\xbf\xef\xbb\xbf{}"):
        with pytest.raises(InvalidInput, match="body"):
            read(body.document(pieces_of([text])))


def test_a_body_ends_at_its_limit():
    async def size(most: int) -> int:
        return sum([len(piece) async for piece in body.bounded(pieces_of([b"abc", b"", b"de"]), most)])

    assert read(size(5)) == 5
    with pytest.raises(BodyTooLarge):
        read(size(4))


# Results


OUTCOMES = [
    {},
    {"spooled": True},
    {"error": InvalidEvent('"ü"\n\x7f', field="action")},
    {"error": KafkaUnavailable("away")},
]


@given(st.lists(st.sampled_from(OUTCOMES), max_size=6), st.integers(0, 6))
def test_the_response_text_is_the_json_of_the_answer(found, repeated):
    outcome = BatchResult()
    outcome.add(Result(index, uuid7(), **one) for index, one in enumerate(found))
    outcome.add(Result(len(found) + index, uuid7()) for index in range(repeated * KEPT // 3))
    assert rendered(outcome) == JSONResponse(answer(outcome)).body


def test_a_tally_keeps_only_what_a_response_can_contain():
    wrong = InvalidEvent("no", field="action")
    outcome = BatchResult()
    outcome.add(Result(index, "id", wrong if index % 2 else None) for index in range(KEPT))
    assert [one["index"] for one in answer(outcome)["results"]] == list(range(KEPT))
    outcome.add(Result(index, "id", wrong if index % 2 else None) for index in range(KEPT, 3 * KEPT))
    body = answer(outcome)
    assert (body["accepted"], body["refused"], body["left_out"]) == (KEPT * 3 // 2, KEPT * 3 // 2, 2 * KEPT)
    assert [one["index"] for one in body["results"]] == list(range(1, 2 * KEPT, 2))
    assert body["results"][0] == {
        "index": 1,
        "status": 400,
        "event_id": "id",
        "code": "EVENT_INVALID",
        "detail": "no",
        "field": "action",
    }


class FakeIngestService:
    """Stands in for IngestService. It accepts numbers and rejects other values. Numbers from `fails_at` on fail, as if
    Kafka were unavailable.
    """

    def __init__(self, fails_at: int | None = None) -> None:
        self.taken: list[tuple[int, list[object]]] = []
        self.fails_at = fails_at

    async def send_slice(self, posted, sender, first):
        self.taken.append((first, posted))
        await asyncio.sleep(0)
        return [Result(first + place, "", self._error(one)) for place, one in enumerate(posted)]

    def _error(self, value):
        if isinstance(value, InvalidEvent):
            return value
        return KafkaUnavailable("late") if self.fails_at is not None and value >= self.fails_at else None


def posted(service: FakeIngestService, pieces: list[bytes], most: int = 10**6) -> BatchResult:
    return read(post(service, body.values(pieces_of(pieces), LONGEST), Sender("a"), most))


@given(st.integers(0, 3 * SLICE), st.lists(st.integers(0, 20_000), max_size=20))
def test_every_line_is_sent_once_and_in_order(count, places):
    service = FakeIngestService()
    text = b"\n".join(str(number).encode() for number in range(count))
    outcome = posted(service, cut(text, places))
    assert (outcome.accepted, outcome.refused) == (count, 0)
    assert [one for _, part in service.taken for one in part] == list(range(count))
    assert [first for first, _ in service.taken] == [part[0] for _, part in service.taken]
    assert all(len(part) < 2 * SLICE for _, part in service.taken)


def test_a_bad_line_is_refused_alone():
    outcome = posted(FakeIngestService(), [b"1\n{\n", b"x" * 2 * LONGEST + b"\n4\n"])
    assert [(one.index, type(one.error).__name__) for one in outcome.results] == [
        (0, "NoneType"),
        (1, "InvalidEvent"),
        (2, "EventTooLarge"),
        (3, "NoneType"),
    ]
    assert outcome.retryable is None


def test_once_kafka_fails_the_rest_is_not_sent():
    service = FakeIngestService(fails_at=10)
    outcome = posted(service, [b"\n".join(str(number).encode() for number in range(3 * SLICE))])
    assert (outcome.accepted, outcome.refused) == (10, 3 * SLICE - 10)
    assert outcome.retryable is not None
    assert [len(part) for _, part in service.taken] == [SLICE]


def test_a_request_with_too_many_events_is_accepted_up_to_the_limit():
    outcome = posted(FakeIngestService(), [b"0\n1\n2\n3\n"], most=3)
    assert [(one.index, one.error and one.error.code) for one in outcome.results] == [
        (0, None),
        (1, None),
        (2, None),
        (3, "TOO_LARGE"),
    ]
    with pytest.raises(BodyTooLarge):
        posted(FakeIngestService(fails_at=0), [b"0\n1\n2\n3\n"], most=3)
