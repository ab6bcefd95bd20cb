"""Tests that a cursor decodes to the position it was made from, and is valid only for its own tenant and filter."""

from __future__ import annotations

import base64
import hashlib
import hmac
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from auditlane.access.scope import TenantScope
from auditlane.query.cursor import Cursors
from auditlane.query.filters import Filter, parse
from auditlane.query.language.tree import Field, Kind
from auditlane.query.sort import NEWEST, Position, Sort
from auditlane.runtime.errors import InvalidCursor

ACME = TenantScope.for_operator("acme")
FILTER = parse([("action", "login")])


def mac(purpose: str, data: bytes) -> bytes:
    return hmac.digest(b"test/" + purpose.encode(), data, hashlib.sha256)


CURSORS = Cursors(mac)
POSITIONS = st.builds(
    Position,
    occurred_us=st.integers(-(1 << 62), 1 << 62),
    event_id=st.uuids().map(str),
    content_hash=st.binary(min_size=16, max_size=16).map(bytes.hex),
    newer=st.booleans(),
)
A_POSITION = Position(1, "00000000-0000-0000-0000-000000000001", "0123456789abcdef" * 2)
A_CURSOR = CURSORS.sign(ACME, FILTER, A_POSITION)


@given(POSITIONS)
def test_a_signed_cursor_reads_back_as_its_position(position):
    cursor = CURSORS.sign(ACME, FILTER, position)
    assert CURSORS.read(ACME, FILTER, cursor) == position
    assert set(cursor) <= set(string.ascii_letters + string.digits + "-_")  # needs no escaping in a URL


@given(POSITIONS, st.integers(0, 75), st.characters(codec="ascii"))
def test_a_cursor_with_one_changed_character_is_invalid(position, place, character):
    cursor = CURSORS.sign(ACME, FILTER, position)
    assume(cursor[place] != character)
    with pytest.raises(InvalidCursor):
        CURSORS.read(ACME, FILTER, cursor[:place] + character + cursor[place + 1 :])


@given(st.text() | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_a_forged_cursor_is_invalid_and_the_error_has_a_fix(text):
    with pytest.raises(InvalidCursor) as caught:
        CURSORS.read(ACME, FILTER, text)
    assert caught.value.fix
    assert caught.value.field == "cursor"


@pytest.mark.parametrize("changed", [A_CURSOR[:-1], A_CURSOR + "A", A_CURSOR + "=", A_CURSOR + "\n", " " + A_CURSOR])
def test_a_cut_or_extended_cursor_is_invalid(changed):
    with pytest.raises(InvalidCursor):
        CURSORS.read(ACME, FILTER, changed)


@pytest.mark.parametrize(
    ("scope", "filter_"),
    [
        (TenantScope.for_operator("globex"), FILTER),
        (TenantScope.for_operator("acm"), FILTER),
        (ACME, Filter()),
        (ACME, parse([("action", "logout")])),
        (ACME, parse([("action", "login"), ("q", "x")])),
    ],
)
def test_a_cursor_is_invalid_for_another_query_or_tenant(scope, filter_):
    with pytest.raises(InvalidCursor):
        CURSORS.read(scope, filter_, A_CURSOR)


def test_a_cursor_is_invalid_for_another_order():
    by_action = Sort(Field("action", Kind.text))
    cursor = CURSORS.sign(ACME, FILTER, A_POSITION, by_action)
    assert CURSORS.read(ACME, FILTER, cursor, by_action).occurred_us == 1
    own = Sort(Field("action", Kind.text, "fields"))
    for sort in (NEWEST, Sort(by_action.field, descending=False), own):
        with pytest.raises(InvalidCursor):
            CURSORS.read(ACME, FILTER, cursor, sort)
    with pytest.raises(InvalidCursor):
        CURSORS.read(ACME, FILTER, A_CURSOR, by_action)


def test_a_cursor_signed_with_another_key_is_invalid():
    with pytest.raises(InvalidCursor):
        Cursors(lambda purpose, data: mac("other", data)).read(ACME, FILTER, A_CURSOR)
