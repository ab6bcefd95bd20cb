"""Tests the rows of the outbox. Events survive the conversion to JSON, and a key always belongs to the same bucket."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.contract.event import AuditEvent
from auditlane.outbox.rows import BUCKETS, OutboxRow, bucket_of
from auditlane.runtime.errors import InvalidEvent
from auditlane.sdk.event_text import event_of, event_text
from auditlane.sdk.publisher import Prepared

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NUMBERS = st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.none() | st.booleans() | NUMBERS | TEXTS


@given(
    texts=st.fixed_dictionaries({}, optional=dict.fromkeys(("actor_id", "actor_name", "description", "before"), TEXTS)),
    metadata=st.dictionaries(TEXTS, TEXTS, max_size=3),
    fields=st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), VALUES, max_size=3),
    time=st.datetimes(timezones=st.just(UTC)),
)
def test_an_event_survives_its_json(texts: dict[str, str], metadata: Any, fields: Any, time: datetime) -> None:
    event = AuditEvent(
        tenant_id="acme", action="login", occurred_at=time, metadata=metadata, fields=fields, outcome="denied", **texts
    )
    assert event_of(event_text(event)) == event


def test_a_value_that_no_json_has_is_refused_in_the_transaction() -> None:
    event = AuditEvent(tenant_id="acme", action="login", fields={"count": float("nan")})
    with pytest.raises(InvalidEvent, match=r"^count must be convertible to JSON") as caught:
        event_text(event)
    assert caught.value.field == "count"


def test_a_row_has_a_payload_or_the_event() -> None:
    event = AuditEvent(tenant_id="acme", action="login")
    encoded = OutboxRow.of(Prepared(event, "audit.events", b"acme#3", b"value"))
    assert (encoded.payload, encoded.event) == (b"value", None)
    assert (encoded.aggregatetype, encoded.aggregateid) == ("audit.events", "acme#3")
    later = OutboxRow.of(Prepared(event, "audit.events", b"acme", None))
    assert later.payload is None
    assert event_of(later.event or "") == event
    assert later.values().keys() == {"id", "aggregatetype", "aggregateid", "payload", "event", "bucket", "created_at"}


@given(key=st.binary(max_size=50))
def test_a_bucket_is_in_range(key: bytes) -> None:
    assert 0 <= bucket_of(key) < BUCKETS
    assert bucket_of(key) == bucket_of(bytes(key))
