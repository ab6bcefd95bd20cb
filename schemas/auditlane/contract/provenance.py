"""A message's provenance: a signature that the gateway adds as a Kafka header and the worker verifies. This module
performs no I/O.

The header `auditlane.provenance` is text in five parts, separated by semicolons:

    1;<key id>;<client id>;<filled fields>;<signature>

Key and client id are percent-encoded, the filled fields are sorted and separated by commas, the signature is base64. It
is an HMAC-SHA256 over the version, the client id, the filled fields, the message's key and its value, each preceded by
its length. It covers the whole event, and is therefore invalid for any other. It does not cover anything that changes
in a replay, in a mirror or in another topic. Only headers in exactly the form that `sign` writes are valid.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import unicodedata
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote

from auditlane.runtime.errors import InvalidInput

HEADER: Final = "auditlane.provenance"
RESERVED: Final = "auditlane."  # prefix of our headers' names, which callers may not set
TRAIL: Final = "auditlane"  # client id that signs our own audit trail, and the `source` of its events
FILLABLE: Final = frozenset({"request_id", "source"})  # fields that the gateway fills in; content_hash excludes them
_VERSION: Final = "1"
_PARTS: Final = 5
_SIZE: Final = struct.Struct(">Q").pack
_BLOCK: Final = 64  # block size of SHA-256 in bytes
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))  # HMAC's pads (RFC 2104), as translation tables
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))

Header = tuple[str, bytes]
Sign = Callable[[bytes, bytes], Header]  # (message key, message value) -> the header to send with them


class Key(NamedTuple):
    """A secret and its id."""

    kid: str
    secret: bytes


class Claim(NamedTuple):
    """The content of a valid signature: the client that sent the event, and the fields that the gateway filled in."""

    client_id: str
    filled: tuple[str, ...] = ()


def signer(key: Key, client_id: str, filled: Iterable[str] = ()) -> Sign:
    """Return a signer for one client's messages. Raises ValueError for a field that the gateway does not fill in."""
    claim = Claim(client_id, tuple(sorted(set(filled))))
    if not FILLABLE.issuperset(claim.filled):
        raise ValueError(f"the gateway does not fill in all of {', '.join(claim.filled)}")
    head = _head(key.kid, claim) + b";"
    prefixed, keyed = _hashes(key.secret, _signed(claim))
    latest: tuple[bytes, hashlib._Hash] | None = None  # most messages have the key of the previous one

    def sign_message(message_key: bytes, value: bytes) -> Header:
        nonlocal latest
        known = latest
        if known is None or known[0] != message_key:
            latest = known = message_key, _keyed(prefixed, message_key)
        return HEADER, head + _finished(known[1], keyed, value)

    return sign_message


def sign(key: Key, claim: Claim, message_key: bytes, value: bytes) -> Header:
    """Sign one message and return its header. Raises the same errors as `signer`."""
    return signer(key, claim.client_id, claim.filled)(message_key, value)


def verify(secrets: Mapping[str, bytes], header: bytes, message_key: bytes, value: bytes) -> Claim | None:
    """Verify a message's header. Returns its claim, or None unless one of `secrets` signed exactly this message."""
    head, _, mac = header.rpartition(b";")
    read = _read(head)
    secret = secrets.get(read.kid) if read else None
    if read is None or secret is None:
        return None
    return read.claim if hmac.compare_digest(mac, _mac(secret, read.signed, message_key, value)) else None


class _Head(NamedTuple):
    kid: str
    claim: Claim
    signed: bytes


@lru_cache(maxsize=4_096)  # one client's messages share a header
def _read(head: bytes) -> _Head | None:
    try:
        parts = head.decode("ascii").split(";")
        if len(parts) != _PARTS - 1:
            return None
        kid, client_id = unquote(parts[1], errors="strict"), unquote(parts[2], errors="strict")
    except UnicodeDecodeError:
        return None
    claim = Claim(client_id, tuple(parts[3].split(",")) if parts[3] else ())
    if not FILLABLE.issuperset(claim.filled) or list(claim.filled) != sorted(set(claim.filled)):
        return None
    return _Head(kid, claim, _signed(claim)) if _head(kid, claim) == head else None


def _head(kid: str, claim: Claim) -> bytes:
    return ";".join((_VERSION, quote(kid, ""), quote(claim.client_id, ""), ",".join(claim.filled))).encode("ascii")


def _signed(claim: Claim) -> bytes:
    """Return the prefix of the signed bytes. It is the same for all messages of a client."""
    return b"".join(map(_sized, (_VERSION.encode(), claim.client_id.encode(), ",".join(claim.filled).encode())))


def _mac(secret: bytes, signed: bytes, message_key: bytes, value: bytes) -> bytes:
    prefixed, keyed = _hashes(secret, signed)
    return _finished(_keyed(prefixed, message_key), keyed, value)


def _keyed(prefixed: hashlib._Hash, message_key: bytes) -> hashlib._Hash:
    """Return the inner hash after the prefix and the message's key."""
    hashed = prefixed.copy()
    hashed.update(_sized(message_key))
    return hashed


def _finished(hashed: hashlib._Hash, keyed: hashlib._Hash, value: bytes) -> bytes:
    """Return the HMAC in base64, from the inner hash after the message's key, and the outer hash."""
    inner, outer = hashed.copy(), keyed.copy()
    inner.update(_SIZE(len(value)) + value)
    outer.update(inner.digest())
    return b2a_base64(outer.digest(), newline=False)


@lru_cache(maxsize=4_096)  # most of the cost of `hmac.digest` is setting up the key in OpenSSL
def _hashes(secret: bytes, signed: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """Return HMAC's inner hash after `signed`, and its outer hash (RFC 2104), both to be copied."""
    key = (secret if len(secret) <= _BLOCK else hashlib.sha256(secret).digest()).ljust(_BLOCK, b"\0")
    return hashlib.sha256(key.translate(_INNER) + signed), hashlib.sha256(key.translate(_OUTER))


def _sized(part: bytes) -> bytes:
    return _SIZE(len(part)) + part


# Look-alikes of the letters in our name (from Unicode's confusables.txt: Latin, Greek, Cyrillic, Armenian), and
# invisible characters in the categories of letters and symbols (Default_Ignorable_Code_Point; the Braille blank).
_LOOK_ALIKE: Final = str.maketrans(
    {
        letter: seen_as
        for seen_as, letters in {
            "a": "\u0251\u03b1\u0430",
            "d": "\u0501",
            "e": "\u0435\u04bd",
            "l": "i1|!\u0131\u01c0\u03b9\u0456\u04cf",
            "n": "\u0578\u043f",
            "t": "\u03c4\u0442",
            "u": "\u03c5\u057d",
            "": "\u115f\u1160\u2800\u3164\uffa0",
        }.items()
        for letter in letters
    }
)

_OUR_LOOK: Final = TRAIL.translate(_LOOK_ALIKE)


@lru_cache(maxsize=65_536)
def is_ours(name: str) -> bool:
    """Return whether a `source` or a client id looks like one of auditlane's own names.

    The comparison ignores case, width, look-alike letters from other alphabets, marks, and invisible characters.
    """
    if name.isascii() and len(name) < len(TRAIL):
        return False
    letters = unicodedata.normalize("NFKD", name).casefold().translate(_LOOK_ALIKE)
    return "".join(letter for letter in letters if unicodedata.category(letter)[0] not in "MCZ") == _OUR_LOOK


def signature_of(headers: Iterable[tuple[str, Any]]) -> bytes | None:
    """Return the signature in the headers of a message. Returns None unless there is exactly one, since any others were
    added later.
    """
    found = [value for name, value in headers if name == HEADER]
    return found[0] if len(found) == 1 and isinstance(found[0], bytes) else None


def check_headers(names: Iterable[str]) -> None:
    """Raise InvalidInput if a Kafka header is one that callers may not set."""
    for name in names:
        if name.strip().lower().startswith(RESERVED):
            raise InvalidInput(
                f"The Kafka header {name[:120]!r} is reserved, as is every name that begins with {RESERVED!r}.",
                field=name,
                fix="Choose another name.",
            )
