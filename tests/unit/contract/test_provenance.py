"""Tests the signature on a message's provenance: valid signatures, and every variant that must be rejected."""

from __future__ import annotations

import hmac
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.contract.provenance import FILLABLE, HEADER, RESERVED, Claim, Key, sign, signer, verify

KEY = Key("20260101-0a", b"secret" * 8)
SECRETS = {KEY.kid: KEY.secret, "older": b"older" * 8}
CLAIM = Claim("billing", ("request_id", "source"))
MESSAGE = (b"acme", b"\x00\x00\x00\x00\x07event")


def signed(claim: Claim = CLAIM, key: Key = KEY, message: tuple[bytes, bytes] = MESSAGE) -> bytes:
    return sign(key, claim, *message)[1]


@given(client_id=st.text(), filled=st.sets(st.sampled_from(sorted(FILLABLE))), key=st.binary(), value=st.binary())
def test_a_signature_verifies_for_any_client_name(client_id: str, filled: set[str], key: bytes, value: bytes) -> None:
    try:
        client_id.encode()
    except UnicodeEncodeError:
        return
    name, header = signer(KEY, client_id, filled)(key, value)
    assert name == HEADER
    assert name.startswith(RESERVED)
    assert verify(SECRETS, header, key, value) == Claim(client_id, tuple(sorted(filled)))


@given(st.lists(st.tuples(st.sampled_from([b"", b"acme", b"globex"]), st.binary())))
def test_one_signer_signs_messages_with_different_keys(messages: list[tuple[bytes, bytes]]) -> None:
    sign_message = signer(KEY, CLAIM.client_id, CLAIM.filled)
    assert [sign_message(*message) for message in messages] == [sign(KEY, CLAIM, *message) for message in messages]
    assert all(verify(SECRETS, sign_message(*message)[1], *message) == CLAIM for message in messages)


def test_a_signature_does_not_cover_another_message() -> None:
    key, value = MESSAGE
    assert verify(SECRETS, signed(), key, value) == CLAIM
    assert verify(SECRETS, signed(), key, value + b"x") is None
    assert verify(SECRETS, signed(), key + b"#1", value) is None
    # The same bytes, split at a different position.
    assert verify(SECRETS, signed(), key + value[:1], value[1:]) is None


def test_each_key_in_the_file_verifies_what_it_signed_and_no_other_does() -> None:
    assert verify(SECRETS, signed(key=Key("older", SECRETS["older"])), *MESSAGE) == CLAIM
    assert verify(SECRETS, signed(key=Key("unknown", KEY.secret)), *MESSAGE) is None
    assert verify(SECRETS, signed(key=Key(KEY.kid, b"guess" * 8)), *MESSAGE) is None
    assert verify(SECRETS, signed(key=Key("older", KEY.secret)), *MESSAGE) is None
    assert verify({}, signed(), *MESSAGE) is None


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        (0, b"2"),
        (0, b"01"),
        (1, b"older"),
        (2, b"payroll"),
        (2, b"b%69lling"),  # equivalent, but auditlane writes another form
        (2, b"%ff"),
        (3, b"source"),
        (3, b""),
        (3, b"source,request_id"),
        (3, b"request_id,source,actor_id"),
        (3, b"request_id,request_id,source"),
        (4, b""),
        (4, b"A" * 43),
        (4, "ü".encode()),
    ],
)
def test_a_header_that_was_tampered_with_does_not_verify(part: int, instead: bytes) -> None:
    parts = signed().split(b";")
    parts[part] = instead
    assert verify(SECRETS, b";".join(parts), *MESSAGE) is None


@pytest.mark.parametrize("header", [b"", b";", b";;;;", b"1;a;b", b"\xff" * 40, b"1;" * 40])
def test_bytes_that_are_not_a_header_do_not_verify(header: bytes) -> None:
    assert verify(SECRETS, header, *MESSAGE) is None
    assert verify(SECRETS, signed() + header + b" ", *MESSAGE) is None


@given(header=st.binary(max_size=200))
def test_no_bytes_raise_an_error(header: bytes) -> None:
    assert verify(SECRETS, header, *MESSAGE) is None


def test_only_fields_that_the_gateway_fills_in_can_be_signed_as_filled() -> None:
    with pytest.raises(ValueError, match="actor_id"):
        signer(KEY, "billing", ["actor_id"])


@given(st.binary(max_size=200), st.binary(max_size=50), st.binary(max_size=200))
def test_a_signature_is_hmac_sha256(secret: bytes, key: bytes, value: bytes) -> None:
    parts = (b"1", b"al_1", b"source", key, value)
    signed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    _, header = sign(Key("k", secret), Claim("al_1", ("source",)), key, value)
    assert b64decode(header.rpartition(b";")[2]) == hmac.digest(secret, signed, "sha256")
