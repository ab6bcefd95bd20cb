"""Tests the parser for a token's header. It returns the same result as PyJWT, or raises Unauthenticated."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.access.signing import Header, header_of
from auditlane.runtime.errors import Unauthenticated

NAMES = st.text(max_size=80)


@given(typ=NAMES, kid=NAMES)
def test_the_header_equals_what_pyjwt_reads(typ: str, kid: str) -> None:
    token = jwt.encode({"sub": "x"}, "k" * 32, "HS256", headers={"typ": typ, "kid": kid})
    decoded = jwt.get_unverified_header(token)
    assert header_of(token) == Header(decoded.get("typ"), decoded["alg"], decoded["kid"])
    assert header_of(token.partition(".")[0] + ".changed.after it") == header_of(token)


def of(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode() + ".a.b"


@pytest.mark.parametrize(
    "token",
    [
        *(of(one) for one in ([], "x", None, {"kid": 7}, {"typ": ["x"]}, {"alg": {}})),
        *("", "a", ".", "..", "é.a.b", "\ud800.a.b", "a+/=.a.b", of({})[:-4] + "\n.a.b", "[" * 4_000 + ".a.b"),
        of({"kid": "x" * 4_000}),
        base64.urlsafe_b64encode(b"[" * 3_000).decode().rstrip("=") + ".a.b",
    ],
)
def test_a_malformed_token_is_unauthenticated(token: str) -> None:
    with pytest.raises(Unauthenticated, match="not a token"):
        header_of(token)


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode() + "."))
def test_any_string_is_either_a_header_or_unauthenticated(token: str) -> None:
    with suppress(Unauthenticated):
        assert isinstance(header_of(token), Header)
