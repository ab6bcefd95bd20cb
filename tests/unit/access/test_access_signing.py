"""Tests signing keys: one key per purpose, rotation with an overlap, and every kind of token that must be rejected."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from auditlane.access.signing import SigningKeys
from auditlane.runtime.errors import ConfigError, TokenExpired, Unauthenticated

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a file with a single key, which was in use long before NOW, and return the path."""
    path = tmp_path / "signing.json"
    SigningKeys.load_or_create(path)
    content = json.loads(path.read_text())
    content["keys"][0]["signs_from"] = "2025-01-01T00:00:00Z"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def signing(path: Path) -> SigningKeys:
    return SigningKeys(path)


def kid(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]


def test_a_signed_token_returns_its_claims(signing):
    claims = signing.verify("a", signing.sign("a", {"sub": "me"}, now=NOW, ttl=HOUR), now=NOW)
    assert claims["sub"] == "me"
    assert claims["exp"] - claims["iat"] == 3600


def test_a_token_expires_at_the_end_of_its_ttl(signing):
    token = signing.sign("a", {}, now=NOW, ttl=HOUR)
    signing.verify("a", token, now=NOW + HOUR - timedelta(seconds=1))
    with pytest.raises(TokenExpired):
        signing.verify("a", token, now=NOW + HOUR)


def part(content: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_a_verified_token_is_checked_again_for_its_expiry_purpose_and_key(signing, path, tmp_path):
    token = signing.sign("a", {"sub": "x"}, now=NOW, ttl=timedelta(hours=1))
    claims = signing.verify("a", token, now=NOW)
    claims["sub"] = "another"
    assert signing.verify("a", token, now=NOW)["sub"] == "x"
    with pytest.raises(TokenExpired):
        signing.verify("a", token, now=NOW + timedelta(hours=1))
    with pytest.raises(Unauthenticated):
        signing.verify("b", token, now=NOW)
    other = tmp_path / "other.json"
    SigningKeys.load_or_create(other)
    stored, leaked = json.loads(other.read_text()), json.loads(path.read_text())
    stored["keys"][0]["kid"] = leaked["keys"][0]["kid"]  # the same id, but another secret
    path.write_text(json.dumps(stored))
    with pytest.raises(Unauthenticated):
        signing.verify("a", token, now=NOW)


def test_a_changed_or_foreign_token_does_not_verify(signing, path, tmp_path):
    token = signing.sign("a", {"sub": "me"}, now=NOW, ttl=HOUR)
    header, payload, signature = token.split(".")
    claims = signing.verify("a", token, now=NOW)
    none = {"alg": "none", "typ": "a", "kid": kid(token)}
    secret = json.loads(path.read_text())["keys"][0]["secret"]
    elsewhere = SigningKeys.load_or_create(tmp_path / "other.json")
    forged = [
        signing.sign("b", {"sub": "me"}, now=NOW, ttl=HOUR),  # signed for another purpose
        f"{part(none)}.{payload}.",
        f"{part(none)}.{payload}.{signature}",
        f"{header}.{part(claims | {'sub': 'you'})}.{signature}",
        f"{header}.{payload}.{signature[:-2]}AA",
        f"{header}.{payload}.",
        # Signed with the secret itself instead of the purpose's key.
        jwt.encode(claims, secret, "HS256", headers={"kid": kid(token)}),
        jwt.encode(claims, "x" * 64, "HS512", headers={"kid": kid(token)}),
        jwt.encode(claims, "x" * 64, "HS256", headers={"kid": "unknown"}),
        jwt.encode(claims, "x" * 64, "HS256"),
        elsewhere.sign("a", {"sub": "me"}, now=datetime.now(UTC), ttl=HOUR),
        *("", ".", "..", "a.b.c", "é.é.é", "\ud800", token + ".x", "x" * 20_000),
    ]
    for invalid in forged:
        with pytest.raises(Unauthenticated) as caught:
            signing.verify("a", invalid, now=NOW)
        assert not isinstance(caught.value, TokenExpired)


def test_a_token_without_an_expiry_does_not_verify(signing, path):
    key = signing._file.current().keys[0]
    claims = {"iss": "auditlane", "aud": "a", "jti": "1", "sub": "me"}
    for more in ({}, {"exp": "soon"}, {"exp": None}):
        token = jwt.api_jws.encode(
            json.dumps(claims | more).encode(), key.derived("a"), "HS256", headers={"kid": key.kid}
        )
        with pytest.raises(Unauthenticated):
            signing.verify("a", token, now=NOW)


def test_macs_differ_by_purpose_and_from_tokens(signing, path):
    macs = {signing.mac(purpose, data) for purpose in ("cursor", "other") for data in (b"1", b"2")}
    assert len(macs) == 4
    assert signing.mac("cursor", b"1") == SigningKeys(path).mac("cursor", b"1")
    token = signing.sign("cursor", {}, now=NOW, ttl=HOUR)
    signed, _, signature = token.rpartition(".")
    assert base64.urlsafe_b64decode(signature + "=") != signing.mac("cursor", signed.encode())


def test_the_previous_key_verifies_until_its_overlap_ends(signing, path):
    old = signing.sign("a", {}, now=NOW, ttl=timedelta(days=2))
    spread = timedelta(minutes=5)
    new = SigningKeys(path).rotate(now=NOW, overlap=timedelta(days=1), spread=spread)
    # Until every replica has the new key, tokens are signed with the old one.
    assert kid(signing.sign("a", {}, now=NOW + spread - timedelta(seconds=1), ttl=HOUR)) == kid(old)
    switched = NOW + spread
    token = signing.sign("a", {}, now=switched, ttl=HOUR)
    assert kid(token) == new.kid != kid(old)
    signing.verify("a", token, now=switched)
    signing.verify("a", old, now=switched + timedelta(days=1, seconds=-1))
    with pytest.raises(Unauthenticated, match="no longer in use"):
        signing.verify("a", old, now=switched + timedelta(days=1))


def test_after_a_leak_the_old_keys_are_invalid_at_once(signing):
    old = signing.sign("a", {}, now=NOW, ttl=HOUR)
    signing.rotate(now=NOW, overlap=timedelta(0), spread=timedelta(0))
    with pytest.raises(Unauthenticated):
        signing.verify("a", old, now=NOW)
    signing.verify("a", signing.sign("a", {}, now=NOW, ttl=HOUR), now=NOW)


def test_retired_keys_leave_the_file_and_a_second_rotation_does_not_lengthen_the_first(signing, path):
    day = timedelta(days=1)
    first = signing.rotate(now=NOW, overlap=day, spread=timedelta(0))
    signing.rotate(now=NOW + HOUR, overlap=day * 9, spread=timedelta(0))
    retirements = [key.retires for key in signing._file.current().keys]
    assert retirements == [NOW + day, NOW + HOUR + day * 9, None]
    third = signing.rotate(now=NOW + day, overlap=day, spread=timedelta(0))
    kids = [key.kid for key in signing._file.current().keys]
    assert kids[0] == first.kid
    assert kids[-1] == third.kid
    assert len(kids) == 3


def test_processes_that_start_together_agree_on_one_key(tmp_path):
    path = tmp_path / "signing.json"
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: SigningKeys.load_or_create(path), range(8)))
    now = datetime.now(UTC)
    token = found[0].sign("a", {}, now=now, ttl=HOUR)
    for keys in found:
        keys.verify("a", token, now=now)


def test_secrets_are_not_in_representations(signing, path):
    secret = json.loads(path.read_text())["keys"][0]["secret"]
    assert secret not in repr(signing._file.current())


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ([], "keys"),
        ([{"kid": "a", "secret": "short", "signs_from": "2025-01-01T00:00:00Z"}], r"keys\[0\].secret"),
        ([{"kid": "a", "secret": "x" * 43, "signs_from": "2025-01-01T00:00:00"}], r"keys\[0\].signs_from"),
        ([{"kid": "a", "secret": "x" * 43, "signs_from": "2025-01-01T00:00:00Z"}] * 2, "same kid"),
    ],
)
def test_a_broken_file_is_reported_with_its_position_but_without_secrets(path, keys, place):
    path.write_text(json.dumps({"keys": keys}))
    with pytest.raises(ConfigError, match=place) as caught:
        SigningKeys(path)
    assert "short" not in str(caught.value)
