"""Links into the pages: a short-lived code that works once and is exchanged for a session."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from auditlane.access.signing import SigningKeys
from auditlane.access.tokens import Token, Viewer, check_viewer, mint_viewer_token
from auditlane.runtime.errors import InvalidInput, Unauthenticated

LINK_CODE: Final = "auditlane-link+jwt"
LINK_TTL_MAX: Final = timedelta(minutes=5)


def mint_link(
    signing: SigningKeys,
    viewer: Viewer,
    *,
    url: str,
    now: datetime,
    session: timedelta,
    ttl: timedelta = LINK_TTL_MAX,
) -> str:
    """A URL under `url` (where the pages are served) that opens them for this viewer for `session`, once, within `ttl`.

    Raises InvalidInput for a link that lives longer than five minutes: it may end up in a history or a chat.
    """
    if not timedelta(0) < ttl <= LINK_TTL_MAX:
        raise InvalidInput("A link lives at most five minutes.", field="ttl")
    check_viewer(viewer, session)
    claims = viewer.claims() | {"session": int(session.total_seconds())}
    return f"{url.rstrip('/')}/enter?code={signing.sign(LINK_CODE, claims, now=now, ttl=ttl)}"


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that a link opened: its token, and whose it is."""

    token: Token
    viewer: Viewer


class LinkDesk:
    """Exchanges link codes for sessions. Remembers the codes it took until they end, so that each works once here."""

    def __init__(self, signing: SigningKeys) -> None:
        self._signing = signing
        self._taken: dict[str, float] = {}
        self._lock = threading.Lock()

    def redeem(self, code: str, *, now: datetime) -> Opened:
        """What the code stands for. Raises TokenExpired; Unauthenticated for a code used before."""
        claims = self._signing.verify(LINK_CODE, code, now=now)
        with self._lock:
            moment = now.astimezone(UTC).timestamp()
            self._taken = {jti: end for jti, end in self._taken.items() if end > moment}
            if claims["jti"] in self._taken:
                raise Unauthenticated("The link was used before.", fix="Ask for a new link; each works once.")
            self._taken[claims["jti"]] = float(claims["exp"])
        viewer, ttl = Viewer.of(claims), timedelta(seconds=int(claims["session"]))
        return Opened(mint_viewer_token(self._signing, viewer, now=now, ttl=ttl), viewer)
