"""Tests what each kind of token and link permits, and that no kind is accepted in place of another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from serving import MemoryClaims

from auditlane.access.base_url import base
from auditlane.access.keys import KeysFile
from auditlane.access.links import LinkExchange, Page, mint_console_link, mint_link
from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal, TenantScope
from auditlane.access.signing import SigningKeys
from auditlane.access.tokens import (
    Operator,
    Token,
    Viewer,
    authenticate,
    authenticate_operator,
    authenticate_session,
    check_delegation,
    mint_client_token,
    mint_console_token,
    mint_viewer_token,
    require_standing,
)
from auditlane.runtime.errors import Forbidden, InvalidInput, TokenExpired, Unauthenticated

NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10)  # later than the creation of the fixtures' keys
HOUR = timedelta(hours=1)
JANE = Viewer("acme", "jane", frozenset({Permission.read, Permission.export}))


@pytest.fixture
def keys(tmp_path) -> KeysFile:
    return KeysFile.load_or_create(tmp_path / "keys.json")


@pytest.fixture
def signing(tmp_path) -> SigningKeys:
    return SigningKeys.load_or_create(tmp_path / "signing.json")


@pytest.fixture
def ask(keys, signing):
    def ask(token: Token | str, now: datetime = NOW) -> Principal:
        text = token.text if isinstance(token, Token) else token
        return authenticate(text, keys=keys, signing=signing, now=now)

    return ask


@pytest.fixture
def desk(keys, signing) -> LinkExchange:
    return LinkExchange(signing, keys, MemoryClaims())


def code_of(link: str) -> str:
    return link.partition("?code=")[2]


def test_a_clients_token_has_its_permissions_and_tenant(keys, signing, ask):
    client = keys.create(roles=("auditor",), tenant="acme", now=NOW).client
    found = ask(mint_client_token(signing, client, now=NOW, ttl=HOUR))
    assert (found.kind, found.subject, found.tenant) == ("client", client.client_id, "acme")
    assert found.permissions == {Permission.read, Permission.export}
    assert found.expires_at == NOW + HOUR


def test_a_viewers_token_has_its_tenant_user_and_permissions(signing, ask):
    found = ask(mint_viewer_token(signing, JANE, now=NOW, ttl=HOUR))
    assert (found.kind, found.subject, found.tenant) == ("viewer", "jane", "acme")
    assert found.permissions == JANE.permissions
    with pytest.raises(TokenExpired):
        ask(mint_viewer_token(signing, JANE, now=NOW, ttl=HOUR), NOW + HOUR)


def test_a_token_ends_no_later_than_its_key(keys, signing, ask):
    client = keys.create(roles=("writer",), now=NOW, expires=NOW + HOUR).client
    token = mint_client_token(signing, client, now=NOW, ttl=timedelta(days=1))
    assert token.ttl == HOUR
    with pytest.raises(Unauthenticated):
        ask(token, NOW + HOUR)


def test_revoking_a_key_ends_its_tokens_and_those_that_it_minted(keys, signing, ask):
    client = keys.create(roles=("vendor",), now=NOW).client
    own = mint_client_token(signing, client, now=NOW, ttl=HOUR)
    minted = mint_viewer_token(signing, Viewer("acme", "jane", JANE.permissions, client.client_id), now=NOW, ttl=HOUR)
    operators = mint_viewer_token(signing, JANE, now=NOW, ttl=HOUR)
    assert ask(own).client_id == ask(minted).client_id == client.client_id
    keys.revoke(client.client_id, now=NOW)
    for token in (own, minted):
        with pytest.raises(Unauthenticated, match="revoked"):
            ask(token)
    assert ask(operators)


def test_a_client_removed_from_the_file_is_unauthenticated(keys, signing, ask, tmp_path):
    client = keys.create(roles=("vendor",), now=NOW).client
    token = mint_client_token(signing, client, now=NOW, ttl=HOUR)
    (tmp_path / "keys.json").write_text("{}")
    with pytest.raises(Unauthenticated, match="no longer exists"):
        ask(token)


def test_other_strings_are_not_tokens(signing, ask):
    link = mint_link(signing, JANE, url="http://h", now=NOW, session=HOUR)
    for wrong in (
        code_of(link),
        signing.sign("cursor", JANE.claims(), now=NOW, ttl=HOUR),
        signing.mac("cursor", b"x").hex(),
        "",
        "a.b.c",
        "x" * 100_000,
        "é",
    ):
        with pytest.raises(Unauthenticated):
            ask(wrong)


def test_a_forged_purpose_in_the_header_does_not_verify(signing, ask):
    """The purpose in the header selects a key, which does not verify tokens signed for another purpose."""
    link_header, _, _ = code_of(mint_link(signing, JANE, url="http://h", now=NOW, session=HOUR)).partition(".")
    viewer_header, _, _ = mint_viewer_token(signing, JANE, now=NOW, ttl=HOUR).text.partition(".")
    code = code_of(mint_link(signing, JANE, url="http://h", now=NOW, session=HOUR))
    with pytest.raises(Unauthenticated):
        ask(code.replace(link_header, viewer_header, 1))


def test_a_viewers_claims_are_limited(signing):
    for viewer in (
        Viewer("acme", "jane", frozenset()),
        Viewer("acme", "jane", frozenset({Permission.admin})),
        Viewer("acme", "jane", frozenset({Permission.read, Permission.write})),
        Viewer("", "jane", JANE.permissions),
    ):
        with pytest.raises(InvalidInput):
            mint_viewer_token(signing, viewer, now=NOW, ttl=HOUR)
    for ttl in (timedelta(0), timedelta(seconds=59), timedelta(days=2)):
        with pytest.raises(InvalidInput):
            mint_viewer_token(signing, JANE, now=NOW, ttl=ttl)


def test_a_viewer_token_cannot_exceed_its_issuers_permissions():
    def principal(kind, tenant, *permissions):
        return Principal(kind, "s", "c", tenant, frozenset(permissions), NOW)

    check_delegation(principal("client", None, *Permission), JANE)
    check_delegation(principal("client", "acme", Permission.read, Permission.export), JANE)
    for wrong in (
        principal("client", None, Permission.write),
        principal("client", None, Permission.read),
        principal("client", "other", *Permission),
        principal("viewer", "acme", Permission.read, Permission.export),
    ):
        with pytest.raises(Forbidden):
            check_delegation(wrong, JANE)


def test_only_a_client_with_the_contract_permission_can_delegate_it(keys, signing, ask):
    tenants_admin = Viewer("acme", "jane", frozenset({Permission.read, Permission.contract}))
    for roles, tenant, extra, may in (
        (("vendor",), None, (), True),
        (("admin",), None, (), True),
        (("vendor", "admin"), "acme", (), False),
        (("vendor",), "acme", (Permission.contract,), True),
        (("auditor",), "acme", (Permission.contract,), True),
        (("auditor",), None, (), False),
        (("vendor",), "globex", (Permission.contract,), False),
    ):
        client = keys.create(roles=roles, tenant=tenant, extra_permissions=extra, now=NOW).client
        asks = ask(mint_client_token(signing, client, now=NOW, ttl=HOUR))
        if may:
            check_delegation(asks, tenants_admin)
        else:
            with pytest.raises(Forbidden):
                check_delegation(asks, tenants_admin)


def test_an_operator_has_the_permissions_of_the_consoles_client(keys, signing):
    for roles, extra, allowed in (
        (("admin",), (), {"audits:admin", "audits:read", "audits:configure", "audits:contract"}),
        (("writer",), (Permission.admin,), {"audits:admin"}),
    ):
        client = keys.create(roles=roles, extra_permissions=extra, now=NOW).client
        token = mint_console_token(signing, Operator("ops", client.client_id), now=NOW, ttl=HOUR)
        assert authenticate_operator(token.text, keys=keys, signing=signing, now=NOW).permissions == allowed


def test_a_link_works_once_within_its_minutes(signing, keys, desk):
    link = mint_link(signing, JANE, url="https://audit.example/", now=NOW, session=HOUR)
    assert link.startswith("https://audit.example/enter?code=")
    for _ in range(3):  # viewing a link does not use it up
        assert desk.page_of(code_of(link), now=NOW + timedelta(minutes=4)) is Page.log
    token = desk.redeem(code_of(link), now=NOW + timedelta(minutes=4)).token
    assert token.ttl == HOUR
    found = authenticate_session(token.text, keys=keys, signing=signing, now=NOW + timedelta(minutes=5))
    assert (found.kind, found.subject, found.permissions) == ("viewer", "jane", JANE.permissions)
    with pytest.raises(Unauthenticated):  # the API rejects the cookie's token
        authenticate(token.text, keys=keys, signing=signing, now=NOW)
    with pytest.raises(Unauthenticated, match="already been used"):
        desk.redeem(code_of(link), now=NOW + timedelta(minutes=4))
    for ask in (desk.page_of, desk.redeem):
        with pytest.raises(TokenExpired):
            ask(code_of(link), now=NOW + timedelta(minutes=5))


def test_a_token_is_not_a_session(signing, keys):
    client = keys.create(roles=("admin",), now=NOW).client
    for token in (
        mint_client_token(signing, client, now=NOW, ttl=HOUR),
        mint_viewer_token(signing, JANE, now=NOW, ttl=HOUR),
        mint_console_token(signing, Operator("ops"), now=NOW, ttl=HOUR),
    ):
        with pytest.raises(Unauthenticated):
            authenticate_session(token.text, keys=keys, signing=signing, now=NOW)


def test_a_link_that_was_not_opened_ends_with_its_key(signing, keys, desk):
    for roles, tenant, error in (
        (("writer",), None, Forbidden),
        (("vendor",), "globex", Unauthenticated),
        (("vendor",), "revoked", Unauthenticated),
    ):
        client = keys.create(roles=roles, tenant=tenant, now=NOW).client
        if tenant == "revoked":
            keys.revoke(client.client_id, now=NOW)
        viewer = Viewer("acme", "jane", JANE.permissions, client.client_id)
        code = code_of(mint_link(signing, viewer, url="http://h", now=NOW, session=HOUR))
        for ask in (desk.page_of, desk.redeem):
            with pytest.raises(error):
                ask(code, now=NOW)
    client = keys.create(roles=("vendor",), now=NOW).client
    link = mint_console_link(signing, Operator("ops", client.client_id), url="http://h", now=NOW, session=HOUR)
    for ask in (desk.page_of, desk.redeem):
        with pytest.raises(Unauthenticated, match="no longer belongs to an admin"):
            ask(code_of(link), now=NOW)


def test_a_link_opens_the_view_that_it_was_minted_for(signing, desk):
    view = {"from": "2026-01-01T00:00:00Z", "query": "a&b=//elsewhere.example"}
    link = mint_link(signing, JANE, url="http://h", now=NOW, session=HOUR, view=view)
    address = desk.redeem(code_of(link), now=NOW).address
    assert address.startswith("/?")
    assert dict(parse_qsl(address[2:])) == view
    plain = mint_link(signing, JANE, url="http://h", now=NOW, session=HOUR)
    assert desk.redeem(code_of(plain), now=NOW).address == "/"


def test_a_token_is_not_a_link_code(signing, desk):
    token = mint_viewer_token(signing, JANE, now=NOW, ttl=HOUR)
    with pytest.raises(Unauthenticated):
        desk.redeem(token.text, now=NOW)


def test_a_links_lifetime_is_limited(signing):
    for ttl in (timedelta(0), timedelta(minutes=6)):
        with pytest.raises(InvalidInput):
            mint_link(signing, JANE, url="http://h", now=NOW, session=HOUR, ttl=ttl)


# The console


def test_a_link_leads_to_its_page(signing, desk):
    now = NOW
    for page in (Page.log, Page.embed):
        link = mint_link(signing, JANE, url="http://h", now=now, session=HOUR, page=page)
        opened = desk.redeem(code_of(link), now=now)
        assert (opened.page, opened.user, opened.tenant) == (page, "jane", "acme")
    with pytest.raises(InvalidInput, match="cannot open the console"):
        mint_link(signing, JANE, url="http://h", now=now, session=HOUR, page=Page.console)


def test_a_console_link_makes_an_operator_session(signing, keys, desk):
    client = keys.create(roles=("admin",), now=NOW).client
    for client_id in ("", client.client_id):
        operator = Operator("ops", client_id)
        link = mint_console_link(signing, operator, url="http://h", now=NOW, session=HOUR)
        opened = desk.redeem(code_of(link), now=NOW)
        assert (opened.page, opened.user, opened.client_id, opened.tenant) == (Page.console, "ops", client_id, None)
        found = authenticate_operator(opened.token.text, keys=keys, signing=signing, now=NOW)
        assert (found.kind, found.subject, found.tenant) == ("operator", "ops", None)
        assert Permission.admin in found.permissions
        with pytest.raises(Unauthenticated):  # the API rejects its cookie's token
            authenticate(opened.token.text, keys=keys, signing=signing, now=NOW)
        with pytest.raises(TokenExpired):
            authenticate_operator(opened.token.text, keys=keys, signing=signing, now=NOW + HOUR)
    keys.revoke(client.client_id, now=NOW)
    with pytest.raises(Unauthenticated):
        authenticate_operator(opened.token.text, keys=keys, signing=signing, now=NOW)


def test_the_console_requires_an_admin(signing, keys):
    for roles, tenant in ((("vendor",), None), (("admin",), "acme")):
        client = keys.create(roles=roles, tenant=tenant, now=NOW).client
        token = mint_console_token(signing, Operator("ops", client.client_id), now=NOW, ttl=HOUR)
        with pytest.raises(Unauthenticated, match="no longer belongs to an admin"):
            authenticate_operator(token.text, keys=keys, signing=signing, now=NOW)
    viewer = mint_viewer_token(signing, JANE, now=NOW, ttl=HOUR)
    with pytest.raises(Unauthenticated):
        authenticate_operator(viewer.text, keys=keys, signing=signing, now=NOW)
    with pytest.raises(InvalidInput):
        mint_console_token(signing, Operator(""), now=NOW, ttl=HOUR)
    with pytest.raises(InvalidInput):
        mint_console_link(signing, Operator("ops"), url="http://h", now=NOW, session=timedelta(days=2))


# Permissions that the client no longer has


def client_and_viewer_token(keys, signing, *roles: str, tenant: str | None = None, **options) -> tuple[str, str]:
    """Create a client, and a viewer token for acme that depends on that client. Returns the client's id and the
    token.
    """
    client = keys.create(roles=roles, tenant=tenant, now=NOW).client
    viewer = Viewer("acme", "jane", JANE.permissions, client.client_id, **options)
    return client.client_id, mint_viewer_token(signing, viewer, now=NOW, ttl=HOUR).text


def test_a_viewer_has_no_more_than_its_clients_current_permissions(keys, signing, ask):
    for roles, left in (
        (("vendor",), {Permission.read, Permission.export}),
        (("auditor",), {Permission.read, Permission.export}),
        (("writer",), set()),
    ):
        _, token = client_and_viewer_token(keys, signing, *roles)
        assert ask(token).permissions == left


def test_a_viewer_keeps_the_contract_permission_while_its_client_has_it(keys, signing, ask):
    both = frozenset({Permission.read, Permission.contract})
    for roles, tenant, extra, left in (
        (("vendor",), None, (), both),
        (("vendor",), "acme", (Permission.contract,), both),
        (("vendor",), "acme", (), {Permission.read}),  # the key has been bound to the tenant in the meantime
        (("auditor",), None, (), {Permission.read}),
    ):
        client = keys.create(roles=roles, tenant=tenant, extra_permissions=extra, now=NOW).client
        token = mint_viewer_token(signing, Viewer("acme", "jane", both, client.client_id), now=NOW, ttl=HOUR)
        assert ask(token).permissions == left


def test_a_viewer_of_another_tenant_than_its_client_is_unauthenticated(keys, signing, ask):
    _, token = client_and_viewer_token(keys, signing, "vendor", tenant="acme")
    assert ask(token).tenant == "acme"
    _, token = client_and_viewer_token(keys, signing, "vendor", tenant="globex")
    with pytest.raises(Unauthenticated, match="another tenant"):
        ask(token)


def test_an_operators_view_ends_when_its_client_is_no_longer_an_admin(keys, signing, ask):
    _, token = client_and_viewer_token(keys, signing, "admin", console=True)
    assert ask(token).console
    for roles, tenant in ((("vendor",), None), (("admin",), "acme")):
        _, token = client_and_viewer_token(keys, signing, *roles, tenant=tenant, console=True)
        with pytest.raises(Unauthenticated, match="no longer belongs to an admin"):
            ask(token)


@pytest.mark.parametrize("actor", ["jane", "the client itself"])
def test_a_background_export_continues_while_its_client_is_permitted(keys, actor):
    def require(*roles: str, tenant: str | None = None, operators: bool = False) -> None:
        client = keys.create(roles=roles, tenant=tenant, now=NOW).client
        who = actor if actor == "jane" else client.client_id
        scope = TenantScope.authorized_before("acme", who, Permission.export, client.client_id)
        require_standing(scope, Permission.export, keys=keys, now=NOW, operators=operators)

    require("vendor")
    require("auditor", tenant="acme")
    require("admin", operators=True)
    for roles, tenant, operators in ((("writer",), None, False), (("vendor",), None, True)):
        with pytest.raises(Forbidden, match="lacks"):
            require(*roles, tenant=tenant, operators=operators)
    with pytest.raises(Unauthenticated, match="another tenant"):
        require("vendor", tenant="globex")
    with pytest.raises(Unauthenticated, match="no longer exists"):
        scope = TenantScope.authorized_before("acme", actor, Permission.export, "nobody")
        require_standing(scope, Permission.export, keys=keys, now=NOW)
    nobodys = TenantScope.authorized_before("acme", "jane", Permission.export)
    require_standing(nobodys, Permission.export, keys=keys, now=NOW)


# The pages that links open


@pytest.mark.parametrize("host", ["127.0.0.1:8480", "localhost:8480", "LOCALHOST:8480", "[::1]:8480", "10.0.0.7:8480"])
def test_without_a_configured_url_links_use_the_listening_address(host):
    at = "127.0.0.1" if host[0] in "l[L1" and not host.startswith("10.") else "10.0.0.7"
    assert base("", scheme="http", host=host, at=(at, 8480)) == f"http://{host.lower()}"


def test_a_bare_host_has_the_schemes_port():
    assert base("", scheme="http", host="localhost", at=("127.0.0.1", 80)) == "http://localhost"
    assert base("", scheme="https", host="[2001:db8::1]", at=("2001:db8::1", 443)) == "https://[2001:db8::1]"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8480", "127.0.0.1", "127.0.0.1:80", "localhost:8481",
        "127.0.0.1.evil.example:8480",
        "evil.example@127.0.0.1:8480", "127.0.0.1:8480@evil.example", "127.0.0.1:8480/", "127.0.0.1:8480#x",
        "localhost:8480, evil.example", "10.0.0.7:8480", "", ":8480", "[::1", "127.0.0.1:99999999",
    ],
)  # fmt: skip
def test_without_a_configured_url_an_unknown_host_is_rejected(host):
    with pytest.raises(InvalidInput, match="AUDITLANE_SERVE_URL"):
        base("", scheme="http", host=host, at=("127.0.0.1", 8480))
    with pytest.raises(InvalidInput):
        base("", scheme="http", host=host, at=None)
    assert base("https://audit.example/", scheme="http", host=host, at=None) == "https://audit.example"
