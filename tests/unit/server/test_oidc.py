"""Tests tokens from an external issuer, whose keys are published by an HTTP server: valid and invalid tokens, and
outages.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from serving import Served

from auditlane.access import jwks
from auditlane.access.jwks import KeySet
from auditlane.access.oidc import Oidc, OidcPolicy, permissions
from auditlane.access.permissions import Permission
from auditlane.runtime.errors import ConfigError, Forbidden, IssuerUnavailable, TokenExpired, Unauthenticated
from auditlane.runtime.settings import load
from auditlane.server.auth.oidc import from_settings

RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
WEAK_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
NOW = datetime.now(UTC)
AUDIENCE = "audit-logs"


class Issuer:
    """An issuer with a discovery document and keys. It returns 500 while it is `down`."""

    def __init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                body = json.dumps(outer.document(self.path)).encode()
                self.send_response(500 if outer.down else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.says_issuer = self.url
        self.keys: list[dict[str, Any]] = [public(RSA, "r1"), public(EC, "e1"), public(ED, "d1")]
        self.requests: list[str] = []
        self.down = False
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def document(self, path: str) -> dict[str, Any]:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.says_issuer, "jwks_uri": f"{self.url}/keys"}
        return {"keys": self.keys}

    def token(self, key: Any = RSA, kid: str | None = "r1", alg: str = "RS256", **claims: Any) -> str:
        """Return a token that is valid except for the given claims. A claim is omitted if its value is None."""
        document = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "jane",
            "tenantId": "acme",
            "permissions": ["fe.secure.read.audits"],
            "exp": int((NOW + timedelta(hours=1)).timestamp()),
        } | claims
        headers = {"kid": kid} if kid else {}
        return jwt.encode({name: one for name, one in document.items() if one is not None}, key, alg, headers=headers)


def public(private: Any, kid: str | None, **more: Any) -> dict[str, Any]:
    kinds = {rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm, ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm}
    kind = next((one for type_, one in kinds.items() if isinstance(private, type_)), jwt.algorithms.OKPAlgorithm)
    return kind.to_jwk(private.public_key(), as_dict=True) | ({"kid": kid} if kid else {}) | more


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def oidc(issuer: Issuer, clock: Any = None, **settings: Any) -> Oidc:
    found = from_settings(load(oidc_issuer=issuer.url, oidc_audience=f"other, {AUDIENCE}", **settings))
    assert found
    if clock:
        found.keys = KeySet(issuer.url, clock=clock)
    return found


@pytest.mark.parametrize(
    ("key", "kid", "alg"),
    [(RSA, "r1", "RS256"), (RSA, "r1", "PS512"), (EC, "e1", "ES256"), (ED, "d1", "EdDSA")],
)
def test_a_valid_token_is_accepted(issuer, key, kid, alg):
    found = oidc(issuer).authenticate(issuer.token(key, kid, alg), now=NOW)
    assert (found.kind, found.subject, found.client_id, found.tenant) == ("viewer", "jane", "", "acme")
    assert found.permissions == {Permission.read}
    assert issuer.requests == ["/.well-known/openid-configuration", "/keys"]


def hs256_with_the_public_key(issuer: Issuer) -> str:
    """Return a token signed with the public key as if it were a shared secret, which is a known attack. PyJWT refuses
    to create such a token.
    """
    pem = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _, payload, _ = issuer.token().split(".")
    header = part({"alg": "HS256", "typ": "JWT", "kid": "r1"})
    mac = hmac.digest(pem, f"{header}.{payload}".encode(), hashlib.sha256)
    return f"{header}.{payload}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


REFUSED = {
    "another issuer": {"iss": "https://elsewhere.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "billing"},
    "no audience": {"aud": None},
    "no end": {"exp": None},
    "an exp that is not a number": {"exp": "tomorrow"},
    "not valid yet": {"nbf": int((NOW + timedelta(hours=1)).timestamp())},
    "no user": {"sub": None},
    "another key under this id": {"key": OTHER_RSA},
    "an unknown key id": {"key": OTHER_RSA, "kid": "r9"},
    "no id, and several keys": {"kid": None},
    "a key of another kind": {"key": EC, "kid": "r1", "alg": "ES256"},
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_invalid_tokens_are_rejected(issuer, change):
    with pytest.raises(Unauthenticated) as caught:
        oidc(issuer).authenticate(issuer.token(**change), now=NOW)
    assert not isinstance(caught.value, TokenExpired)


def test_only_asymmetric_signatures_are_accepted(issuer):
    _, payload, _ = issuer.token().split(".")
    for token in (
        hs256_with_the_public_key(issuer),
        f"{part({'alg': 'none', 'kid': 'r1'})}.{payload}.",
        issuer.token("x" * 64, "r1", "HS256"),
        "a.b.c",
        "",
    ):
        with pytest.raises(Unauthenticated):
            oidc(issuer).authenticate(token, now=NOW)
    assert not issuer.requests  # such a token does not cause a request


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_keys_that_must_not_verify(issuer):
    secret = base64.urlsafe_b64encode(b"s" * 64).decode()
    issuer.keys = [
        {"kty": "oct", "kid": "s1", "k": secret, "alg": "HS256"},
        public(RSA, "enc", use="enc"),
        public(WEAK_RSA, "weak"),
        public(OTHER_RSA, "r512", alg="RS512"),
        {"kty": "EC", "kid": "odd", "crv": "P-9"},
        public(EC, "e1"),
    ]
    verifies = oidc(issuer)
    for key, kid in ((RSA, "enc"), (WEAK_RSA, "weak"), (OTHER_RSA, "r512")):
        with pytest.raises(Unauthenticated):
            verifies.authenticate(issuer.token(key, kid), now=NOW)
    assert verifies.authenticate(issuer.token(OTHER_RSA, "r512", "RS512"), now=NOW)
    assert verifies.authenticate(issuer.token(EC, "e1", "ES256"), now=NOW)


def test_a_single_key_needs_no_id(issuer):
    issuer.keys = [public(RSA, None)]
    assert oidc(issuer).authenticate(issuer.token(kid=None), now=NOW)


def test_clocks_may_differ_a_little(issuer):
    verifies, end = oidc(issuer), NOW + timedelta(hours=1)
    token = issuer.token(nbf=int((NOW + timedelta(seconds=20)).timestamp()))
    verifies.authenticate(token, now=NOW)
    verifies.authenticate(token, now=end + timedelta(seconds=29))
    with pytest.raises(TokenExpired):
        verifies.authenticate(token, now=end + timedelta(seconds=31))


def test_a_new_key_is_fetched_and_unknown_ids_are_throttled(issuer):
    clock = Clock()
    verifies = oidc(issuer, clock)
    verifies.authenticate(issuer.token(), now=NOW)
    for _ in range(50):
        with pytest.raises(Unauthenticated, match="does not publish"):
            verifies.authenticate(issuer.token(OTHER_RSA, "r2"), now=NOW)
    assert issuer.requests.count("/keys") == 1
    issuer.keys = [public(OTHER_RSA, "r2")]
    clock.now += jwks.RETRY_S
    assert verifies.authenticate(issuer.token(OTHER_RSA, "r2"), now=NOW)
    assert issuer.requests.count("/keys") == 2
    with pytest.raises(Unauthenticated):  # the key has been withdrawn
        verifies.authenticate(issuer.token(), now=NOW)


def test_an_unavailable_issuer_is_not_reported_as_an_invalid_token(issuer):
    clock = Clock()
    verifies = oidc(issuer, clock)
    issuer.down = True
    for _ in range(3):
        with pytest.raises(IssuerUnavailable, match="500"):
            verifies.authenticate(issuer.token(), now=NOW)
    assert len(issuer.requests) == 1
    issuer.down = False
    clock.now += jwks.RETRY_S
    assert verifies.authenticate(issuer.token(), now=NOW)
    issuer.down = True
    clock.now += jwks.FRESH_S  # known keys remain valid, and no request waits for the refresh
    assert verifies.authenticate(issuer.token(), now=NOW)
    clock.now += jwks.RETRY_S
    with pytest.raises(IssuerUnavailable):
        verifies.authenticate(issuer.token(OTHER_RSA, "r2"), now=NOW)
    assert verifies.authenticate(issuer.token(), now=NOW)
    clock.now += jwks.KEPT_S
    with pytest.raises(IssuerUnavailable):
        verifies.authenticate(issuer.token(), now=NOW)


def test_a_discovery_document_of_another_issuer_is_rejected(issuer):
    issuer.says_issuer = "https://elsewhere.example"
    with pytest.raises(IssuerUnavailable, match="belongs to the issuer"):
        oidc(issuer).authenticate(issuer.token(), now=NOW)
    assert oidc(issuer, oidc_jwks_url=f"{issuer.url}/keys").authenticate(issuer.token(), now=NOW)


# A token's permissions


@pytest.mark.parametrize(
    ("claims", "allowed"),
    [
        ({}, set()),
        ({"permissions": []}, set()),
        ({"permissions": ["fe.secure.read.users", "audits:read"]}, set()),
        ({"permissions": ["fe.secure.read.audits"]}, {"audits:read"}),
        ({"permissions": "openid fe.secure.read.audits"}, {"audits:read"}),
        ({"permissions": ["fe.secure.*"]}, {"audits:read"}),
        ({"permissions": ["fe.*"]}, {"audits:read"}),
        ({"permissions": ["*", ".*", "fe.secure.rea*", "fe.secure.read.audits.*", 7, None]}, set()),
        ({"permissions": {"fe.secure.read.audits": True}}, set()),
        ({"realm": {"roles": ["auditor"]}}, {"audits:read", "audits:export"}),
        ({"realm": {"roles": ["audit*", "aud.*"]}}, set()),
        ({"realm": "auditor"}, set()),
        ({"permissions": ["fe.secure.*"], "realm": {"roles": ["shaper"]}}, {"audits:read", "audits:configure"}),
        ({"permissions": ["fe.secure.decide.audits"]}, {"audits:contract"}),
        ({"permissions": ["fe.*", "fe.secure.*", "fe.secure.decide.*"]}, {"audits:read"}),
        ({"realm": {"roles": ["decider"]}}, {"audits:contract"}),
    ],
)
def test_permissions_come_from_scopes_and_roles(claims, allowed):
    policy = OidcPolicy(
        issuer="i",
        audiences=("a",),
        roles_claim="realm.roles",
        permissions={
            "fe.secure.read.audits": frozenset({Permission.read}),
            "fe.secure.decide.audits": frozenset({Permission.contract}),
        },
        roles={
            "decider": frozenset({Permission.contract}),
            "auditor": frozenset({Permission.read, Permission.export}),
            "shaper": frozenset({Permission.configure, Permission.admin}),  # an issuer cannot grant admin
        },
    )
    assert permissions(claims, policy) == allowed


def test_the_tenant_comes_from_a_claim(issuer):
    verifies = oidc(issuer, oidc_tenant_claim="https://audit.example/org.id")
    claims = {"https://audit.example/org.id": "globex"}
    assert verifies.authenticate(issuer.token(**claims), now=NOW).tenant == "globex"
    nested = oidc(issuer, oidc_tenant_claim="org.id", oidc_user_claim="email")
    found = nested.authenticate(issuer.token(org={"id": 4711}, email="jane@acme.example"), now=NOW)
    assert (found.tenant, found.subject) == ("4711", "jane@acme.example")
    for tenant in (None, "", "a b", "_auditlane", ["acme"], True, {"id": "acme"}):
        with pytest.raises(Forbidden, match="is not a tenant id"):
            oidc(issuer).authenticate(issuer.token(tenantId=tenant), now=NOW)


# Settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"oidc_issuer": "login.example"}, "AUDITLANE_OIDC_ISSUER: must begin with http"),
        ({"oidc_issuer": "https://login.example/"}, "AUDITLANE_OIDC_AUDIENCE: must name the audience"),
        ({"oidc_issuer": "https://login.example/", "oidc_audience": " ,"}, "AUDITLANE_OIDC_AUDIENCE"),
        ({"oidc_permissions": {"x": ["audits:admin"]}}, "AUDITLANE_OIDC_PERMISSIONS.*audits:admin"),
        ({"oidc_roles": {"x": []}}, "AUDITLANE_OIDC_ROLES"),
        ({"oidc_roles": {"x": 1}}, "AUDITLANE_OIDC_ROLES"),
        ({"oidc_roles": "no json"}, "AUDITLANE_OIDC_ROLES: must be a JSON object"),
    ],
)
def test_a_wrong_issuer_setting_is_named(settings, message):
    good = {"oidc_issuer": "https://login.example/", "oidc_audience": "a"} if "oidc_issuer" not in settings else {}
    with pytest.raises(ConfigError, match=message):
        from_settings(load(**good, **settings))


def test_an_issuer_keeps_its_slash():
    found = from_settings(load(oidc_issuer="https://login.example/", oidc_audience="a,b"))
    assert found
    assert found.policy.issuer == "https://login.example/"
    assert found.policy.audiences == ("a", "b")
    assert from_settings(load()) is None


# In the service


def test_requests_with_tokens_of_the_issuer_are_authenticated(issuer, tmp_path):
    with Served(tmp_path, oidc_issuer=issuer.url, oidc_audience=AUDIENCE) as served:

        def ask(path: str, token: str, **headers: str) -> tuple[int, str]:
            answer = served.request(path, token, **headers)
            return answer.status, answer.json()["code"]

        # The store is unavailable, so a 503 response means that the token was valid.
        good = issuer.token()
        assert ask("/v1/events", good) == (503, "STORE_UNAVAILABLE")
        assert ask("/v1/events", good, auditlane_tenant="acme") == (503, "STORE_UNAVAILABLE")
        assert ask("/v1/events", good, auditlane_tenant="globex") == (403, "TENANT_FORBIDDEN")
        assert ask("/v1/export?format=csv", good) == (403, "FORBIDDEN")
        assert ask("/v1/events", issuer.token(permissions=["something.else"])) == (403, "FORBIDDEN")
        assert ask("/v1/events", issuer.token(tenantId=None)) == (403, "FORBIDDEN")
        assert ask("/v1/events", issuer.token(aud="billing")) == (401, "UNAUTHENTICATED")
        assert ask("/v1/events", issuer.token(exp=1)) == (401, "TOKEN_EXPIRED")
        assert ask("/v1/events", served.viewer_token("acme")) == (503, "STORE_UNAVAILABLE")
        assert ask("/v1/events", "nonsense") == (401, "UNAUTHENTICATED")
        mint = served.request("/v1/viewer-tokens", good, method="POST", body={"tenant": "acme", "user": "x"})
        assert mint.json()["code"] == "FORBIDDEN"


def test_an_unavailable_issuer_returns_503(issuer, tmp_path):
    issuer.down = True
    with Served(tmp_path, oidc_issuer=issuer.url, oidc_audience=AUDIENCE) as served:
        answer = served.request("/v1/events", issuer.token())
        assert (answer.status, answer.json()["code"]) == (503, "ISSUER_UNAVAILABLE")
        assert answer.headers["retry-after"]
        assert served.request("/v1/events", served.viewer_token("acme")).json()["code"] == "STORE_UNAVAILABLE"
