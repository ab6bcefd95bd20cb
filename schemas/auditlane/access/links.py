"""Links to the pages, with a short-lived, one-time code that is exchanged for a session."""

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
    mint_console_token,
    mint_session_token,
    remaining_permissions,
    require_operator,
)
from auditlane.runtime.errors import Forbidden, InvalidInput, TokenExpired, Unauthenticated

LINK_CODE: Final = "auditlane-link+jwt"
LINK_TTL_MAX: Final = timedelta(minutes=5)


class Page(StrEnum):
    """The page that a link opens."""

    log = "/"
    embed = "/embed"  # the log embedded in one of the vendor's pages
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
    """Return a one-time URL, valid for `ttl`, that opens a page for this viewer. The session is valid for `session`.

    `url` is the pages' base URL. `view` contains the URL parameters of the page's initial view: `from`, `to`, `query`.

    Raises InvalidInput if `ttl` is longer than five minutes, since a link may end up in a browser history or a chat,
    and for the console, which viewers cannot open.
    """
    if page is Page.console:
        raise InvalidInput("A viewer cannot open the console.", field="page", fix="Choose another page.")
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
    """Return a one-time URL that opens the console for this operator. Raises the same InvalidInput as `mint_link`."""
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
        raise InvalidInput("A link's ttl must be above zero and at most five minutes.", field="ttl")
    claims = who | {"session": int(session.total_seconds()), "page": page.value}
    return f"{url.rstrip('/')}/enter?code={signing.sign(LINK_CODE, claims, now=now, ttl=ttl)}"


@contextmanager
def link_errors() -> Iterator[None]:
    """Rephrase errors about a link's code as errors about the link, since users never see the code itself."""
    try:
        yield
    except TokenExpired as error:
        raise TokenExpired("The link has expired.", fix="Ask for a new link.") from error
    except Unauthenticated as error:
        raise Unauthenticated("The link is not valid.", fix="Ask for a new link.") from error


def used_before() -> Unauthenticated:
    """Return the error for a link that has already been opened."""
    return Unauthenticated("The link has already been used.", fix="Ask for a new link; each link works only once.")


@dataclass(frozen=True, slots=True)
class Opened:
    """A session opened by a link: its token, page and user. An operator has no tenant.

    `view` is the page URL's query string, or empty.
    """

    token: Token
    page: Page
    user: str
    client_id: str
    tenant: str | None
    view: str = ""

    @property
    def address(self) -> str:
        """The path and query string of the link's page."""
        return f"{self.page.value}?{self.view}" if self.view else self.page.value


@dataclass(frozen=True, slots=True)
class LinkRead:
    """The page, id and tenant of a link. An operator's link has no tenant."""

    page: Page
    jti: str
    tenant: str | None


class Claims(Protocol):
    """The record of opened links, shared by all processes and replicas."""

    def claim(self, name: str, /, *, until: datetime, now: datetime) -> bool:
        """Claim the link with this id until `until`. Returns True at most once per id, across all processes.

        Raises StoreUnavailable or StoreRefused if the outcome of the claim cannot be determined. The link is then
        unused.
        """
        ...


class LinkExchange:
    """Exchanges link codes for sessions. Each code works once, and only while the client that issued the link is active
    and has the permission.
    """

    def __init__(self, signing: SigningKeys, keys: KeysFile, claims: Claims) -> None:
        self._signing = signing
        self._keys = keys
        self._claims = claims

    def page_of(self, code: str, *, now: datetime) -> Page:
        """Return the page that the code opens, without using the link.

        Raises the same errors as `redeem`, except for a used code.
        """
        return self.read(code, now=now).page

    def read(self, code: str, *, now: datetime) -> LinkRead:
        """Return the page, id and tenant of the code's link, without using the link or checking whether it was used.

        Raises the same errors as `page_of`.
        """
        claims, who, page, _ = self._read(code, now)
        self._require_standing(who, now)
        return LinkRead(page, str(claims["jti"]), None if isinstance(who, Operator) else who.tenant)

    def redeem(self, code: str, *, now: datetime) -> Opened:
        """Use the link and open its session. Blocks until the claim is decided.

        Raises TokenExpired if the code has expired, Unauthenticated if it was used or if its client is no longer
        active, and Forbidden if its client no longer has any of the permissions. Raises StoreUnavailable or
        StoreRefused if the outcome of the claim cannot be determined.
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
        with link_errors():
            claims = self._signing.verify(LINK_CODE, code, now=now)
        page, ttl = Page(claims["page"]), timedelta(seconds=int(claims["session"]))
        return claims, Operator.of(claims) if page is Page.console else Viewer.of(claims), page, ttl

    def _require_standing(self, who: Viewer | Operator, now: datetime) -> None:
        if isinstance(who, Operator):
            require_operator(who, keys=self._keys, now=now, behind="link")
        elif not remaining_permissions(who, keys=self._keys, now=now, behind="link"):
            raise Forbidden("The key behind this link no longer has its permissions.", fix="Ask for a new link.")
