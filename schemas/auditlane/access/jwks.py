"""The public keys of a token issuer: fetched when they are needed, kept while fresh, never asked for too often."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
import urllib3

from auditlane.runtime.errors import IssuerUnavailable, Unauthenticated

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_ASYMMETRIC: Final = frozenset({"RSA", "EC", "OKP"})  # a shared secret in a key set must never verify anything
_MIN_RSA_BITS: Final = 2_048
FRESH_S: Final = 600.0  # then they are fetched again; the earlier ones stay in use while that fails
KEPT_S: Final = 86_400.0  # how long they stay in use at most: a key that was withdrawn ends after that in any case
RETRY_S: Final = 10.0  # between two fetches, however many tokens name unknown keys
_TIMEOUT: Final = urllib3.Timeout(connect=2.0, read=3.0)
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key of an issuer. `algorithm` is the only one that it may be used with; empty leaves it to the key's kind."""

    key: Any
    algorithm: str


class KeySet:
    """The keys by their id. Thread-safe; a call takes some seconds at most when it has to ask the issuer."""

    def __init__(
        self, issuer: str, *, url: str = "", ca: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`url` is the key set's; without it the issuer's discovery document says where it is."""
        self._issuer = issuer
        self._url = url
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT, ca_certs=ca, maxsize=1)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str | None, PublicKey] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self.problem = ""

    @property
    def usable(self) -> bool:
        """Whether there are keys that may still be used."""
        return self._within(self._fetched_at, KEPT_S) and bool(self._keys)

    def knows(self, kid: str | None) -> bool:
        """Whether `key` answers without asking the issuer."""
        return self._within(self._fetched_at, KEPT_S) and self._known(kid) is not None

    def key(self, kid: str | None) -> PublicKey:
        """The key of this id; of a token that names none, the only key there is.

        Raises Unauthenticated for an id that the issuer does not know, IssuerUnavailable when it cannot be asked.
        """
        if not self.knows(kid):
            self._refresh()
        elif not self._within(self._fetched_at, FRESH_S) and not self._within(self._tried_at, RETRY_S):
            threading.Thread(target=self._refresh, name="auditlane-jwks", daemon=True).start()  # nobody waits for it
        found = self._known(kid)
        if found is not None and self._within(self._fetched_at, KEPT_S):
            return found
        if self.problem:
            raise IssuerUnavailable(
                f"The keys of the issuer {self._issuer} cannot be had: {self.problem}", fix="Try again in a moment."
            )
        raise Unauthenticated("The token is signed with a key that its issuer does not publish.", fix="Get a new one.")

    def _known(self, kid: str | None) -> PublicKey | None:
        keys = self._keys
        if kid is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(kid)

    def _within(self, since: float | None, seconds: float) -> bool:
        return since is not None and self._clock() - since < seconds

    def _refresh(self) -> None:
        """Fetch, unless somebody just did; whoever waited here takes what the other one fetched."""
        with self._lock:
            if self._within(self._tried_at, RETRY_S):
                return
            self._tried_at = self._clock()
            try:
                self._keys = _usable(self._fetch(self._url or self._discovered()))
                self._fetched_at = self._clock()
                self.problem = ""
            except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
                self.problem = str(error)[:300] or type(error).__name__

    def _discovered(self) -> str:
        document = self._fetch(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        if document["issuer"] != self._issuer:
            raise ValueError(f"the discovery document is of the issuer {str(document['issuer'])[:200]!r}")
        url = str(document["jwks_uri"])
        if urlsplit(url).scheme not in ("https", urlsplit(self._issuer).scheme):
            raise ValueError(f"the key set {url[:200]!r} is not at an https address")
        return url

    def _fetch(self, url: str) -> dict[str, Any]:
        answer = self._http.request("GET", url, redirect=False, preload_content=False)
        try:
            body = answer.read(_MOST_BYTES + 1)
        finally:
            answer.release_conn() if answer.status == 200 else answer.close()
        if answer.status != 200:
            raise ValueError(f"{url} answered {answer.status}")
        if len(body) > _MOST_BYTES:
            raise ValueError(f"{url} answered more than {_MOST_BYTES} bytes")
        document = json.loads(body)
        if not isinstance(document, dict):
            raise ValueError(f"{url} answered no JSON object")
        return document


def _usable(document: dict[str, Any]) -> dict[str | None, PublicKey]:
    """The set's keys that may verify a signature; one that we do not understand is as good as not there."""
    keys: dict[str | None, PublicKey] = {}
    for jwk in document["keys"]:
        if jwk.get("kty") not in _ASYMMETRIC or jwk.get("use", "sig") != "sig" or "d" in jwk:
            continue
        try:
            key = jwt.PyJWK(jwk)
        except jwt.PyJWTError:
            continue
        if key.algorithm_name not in ALGORITHMS or (jwk["kty"] == "RSA" and key.key.key_size < _MIN_RSA_BITS):
            continue
        keys[jwk.get("kid")] = PublicKey(key.key, str(jwk.get("alg", "")))
    return keys
