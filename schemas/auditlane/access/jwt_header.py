"""What a token's header says: a hint which key to verify the token with, and nothing to be trusted before that."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from auditlane.runtime.errors import Unauthenticated

_MOST_KEPT: Final = 256
_LONGEST: Final = 4_096  # characters


@dataclass(frozen=True, slots=True)
class Header:
    """Of a token (JWT): what it is for, the algorithm, the key's id; None where it does not say."""

    typ: str | None
    alg: str | None
    kid: str | None


def header_of(token: str) -> Header:
    """The header alone: the token is parsed when it is verified. Raises Unauthenticated for what has none."""
    segment, dot, _ = token.partition(".")
    if not dot or len(segment) > _LONGEST:
        raise Unauthenticated("The credential is not a token.", fix="Get a token: POST /v1/token.")
    return _parsed(segment)


@lru_cache(_MOST_KEPT)
def _parsed(segment: str) -> Header:
    """All tokens that one key signs for one purpose begin with the same segment."""
    try:
        header = json.loads(
            base64.b64decode(segment.encode("ascii") + b"=" * (-len(segment) % 4), b"-_", validate=True)
        )
        found = Header(header.get("typ"), header.get("alg"), header.get("kid"))
        if not all(isinstance(one, str | None) for one in (found.typ, found.alg, found.kid)):
            raise TypeError("a name that is no text")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unauthenticated("The credential is not a token.", fix="Get a token: POST /v1/token.") from error
    return found
