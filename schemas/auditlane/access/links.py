"""Links into the pages: a short-lived code that works once and is exchanged for a session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from auditlane.access.keys import KeysFile
from auditlane.access.signing import SigningKeys
from auditlane.access.tokens import (
    Operator,
    Token,
    Viewer,
    check_operator,
    check_viewer,
    left_of,
    mint_console_token,
    mint_session_token,
    require_operator,
)
from auditlane.runtime.errors import Forbidden, InvalidInput, TokenExpired, Unauthenticated

LINK_CODE: Final = "auditlane-link+jwt"
LINK_TTL_MAX: Final = timedelta(minutes=5)


class Page(StrEnum):
    """Where a link leads."""

    log = "/"
    embed = "/embed"  # the log inside of a page of the vendor's
    console = "/console"  # for operators, not for viewers


def mint_link(
    signing: SigningKeys,
    viewer: Viewer,
    *,
    url: str,
    now: datetime,
    session: timedelta,
    ttl: timedelta = LINK_TTL_MAX,
    page: Page = Page.log,
    view: Mapping[str, str] | None = None,
) -> str:
    """A URL under `url` (where the pages are served) that opens one for this viewer for `session`, once, within `ttl`.

    `view` is what the page looks at first, by the parameters of its address: `from`, `to`, `query`.

    Raises InvalidInput for a link that lives longer than five minutes (it may end up in a history or a chat), and for
    a viewer who wants the console.
    """
    if page is Page.console:
        raise InvalidInput("A viewer has no console.", field="page", fix="Name another page.")
    check_viewer(viewer, session)
    who = viewer.claims() | ({"view": urlencode(view)} if view else {})
    return _link(signing, who, page, url=url, now=now, session=session, ttl=ttl)


def mint_console_link(
    signing: SigningKeys,
    operator: Operator,
    *,
    url: str,
    now: datetime,
    session: timedelta,
    ttl: timedelta = LINK_TTL_MAX,
) -> str:
    """A URL that opens the console for this operator, once. Raises InvalidInput as `mint_link` does."""
    check_operator(operator, session)
    return _link(signing, operator.claims(), Page.console, url=url, now=now, session=session, ttl=ttl)


def _link(
    signing: SigningKeys,
    who: dict[str, Any],
    page: Page,
    *,
    url: str,
    now: datetime,
    session: timedelta,
    ttl: timedelta,
) -> str:
    if not timedelta(0) < ttl <= LINK_TTL_MAX:
        raise InvalidInput("A link lives at most five minutes.", field="ttl")
    claims = who | {"session": int(session.total_seconds()), "page": page.value}
    return f"{url.rstrip('/')}/enter?code={signing.sign(LINK_CODE, claims, now=now, ttl=ttl)}"


@contextmanager
def of_link() -> Iterator[None]:
    """What is wrong with a code, said of the link that whoever follows it has."""
    try:
        yield
    except TokenExpired as error:
        raise TokenExpired("The link has ended.", fix="Ask for a new link.") from error
    except Unauthenticated as error:
        raise Unauthenticated("The link is not valid.", fix="Ask for a new link.") from error


def used_before() -> Unauthenticated:
    """A link that was opened once."""
    return Unauthenticated("The link was used before.", fix="Ask for a new link; each works once.")


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that a link opened: its token, where it leads, whose it is. An operator has no tenant.

    `view` is the query string of the page's address, or empty.
    """

    token: Token
    page: Page
    user: str
    client_id: str
    tenant: str | None
    view: str = ""

    @property
    def address(self) -> str:
        """The path and query string that the link leads to."""
        return f"{self.page.value}?{self.view}" if self.view else self.page.value


@dataclass(frozen=True, slots=True)
class LinkRead:
    """Where a link leads, its id, and the tenant whose log it opens: an operator has none."""

    page: Page
    jti: str
    tenant: str | None


class Claims(Protocol):
    """Where it is written down which links were opened, for all processes and replicas."""

    def claim(self, jti: str, *, until: datetime, now: datetime) -> bool:
        """Whether the caller is the one whom the link lets in; at most once True for a `jti`, wherever it is asked.

        Raises StoreUnavailable or StoreRefused when nobody can say; the link was not used then.
        """
        ...


class LinkExchange:
    """Exchanges link codes for sessions, each once. Whoever vouched for a link must still be able to."""

    def __init__(self, signing: SigningKeys, keys: KeysFile, claims: Claims) -> None:
        self._signing = signing
        self._keys = keys
        self._claims = claims

    def look(self, code: str, *, now: datetime) -> Page:
        """Where the code leads; nothing is used up by it. Raises as `redeem` does, but for a code used before."""
        return self.read(code, now=now).page

    def read(self, code: str, *, now: datetime) -> LinkRead:
        """What the code says; nothing is used up by it, and no claims are asked. Raises as `look` does."""
        claims, who, page, _ = self._read(code, now)
        self._require_standing(who, now)
        return LinkRead(page, str(claims["jti"]), None if isinstance(who, Operator) else who.tenant)

    def redeem(self, code: str, *, now: datetime) -> Opened:
        """What the code stands for. Blocks until the claims say whether it was used.

        Raises TokenExpired; Unauthenticated for a code used before, or when the key behind it is not active any more;
        Forbidden when that key has none of the permissions any more; StoreUnavailable, StoreRefused.
        """
        claims, who, page, ttl = self._read(code, now)
        self._require_standing(who, now)
        until = datetime.fromtimestamp(claims["exp"], UTC)
        if not self._claims.claim(str(claims["jti"]), until=until, now=now):
            raise used_before()
        if isinstance(who, Operator):
            token = mint_console_token(self._signing, who, now=now, ttl=ttl)
            return Opened(token, page, who.user, who.client_id, None)
        token = mint_session_token(self._signing, who, now=now, ttl=ttl)
        return Opened(token, page, who.user, who.client_id, who.tenant, str(claims.get("view", "")))

    def _read(self, code: str, now: datetime) -> tuple[dict[str, Any], Viewer | Operator, Page, timedelta]:
        with of_link():
            claims = self._signing.verify(LINK_CODE, code, now=now)
        page, ttl = Page(claims["page"]), timedelta(seconds=int(claims["session"]))
        return claims, Operator.of(claims) if page is Page.console else Viewer.of(claims), page, ttl

    def _require_standing(self, who: Viewer | Operator, now: datetime) -> None:
        if isinstance(who, Operator):
            require_operator(who, keys=self._keys, now=now, behind="link")
        elif not left_of(who, keys=self._keys, now=now, behind="link"):
            raise Forbidden("The key behind this link has none of its permissions any more.", fix="Ask for a new link.")
