"""A token issuer's public keys, fetched on demand, cached while fresh, and never requested too often."""

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
FRESH_S: Final = 600.0  # age after which keys are fetched again; the cached keys stay in use if that fails
KEPT_S: Final = 86_400.0  # how long cached keys are used; a withdrawn key stops working by then
RETRY_S: Final = 10.0  # minimum time between two fetches, however many tokens name unknown keys
_TIMEOUT: Final = urllib3.Timeout(connect=2.0, read=3.0)
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One of an issuer's keys.

    If `algorithm` is set, the key may be used with that algorithm only. If it is empty, any algorithm that fits the
    key's type is allowed.
    """

    key: Any
    algorithm: str


class KeySet:
    """An issuer's keys by id. Thread-safe. Calls that have to fetch keys block for a few seconds at most."""

    def __init__(
        self, issuer: str, *, url: str = "", ca: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Create the key set. Without `url`, the URL of the keys is read from the issuer's discovery document."""
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
        """Whether there are cached keys that may still be used."""
        return self._within(self._fetched_at, KEPT_S) and bool(self._keys)

    def has_cached(self, kid: str | None) -> bool:
        """Return whether `key` can find this id without a request to the issuer."""
        return self._within(self._fetched_at, KEPT_S) and self._cached(kid) is not None

    def key(self, kid: str | None) -> PublicKey:
        """Return the key with this id or, for a token without a key id, the issuer's only key.

        Raises Unauthenticated if the issuer has no such key, and IssuerUnavailable if the keys cannot be fetched.
        """
        if not self.has_cached(kid):
            self._refresh()
        elif not self._within(self._fetched_at, FRESH_S) and not self._within(self._tried_at, RETRY_S):
            threading.Thread(target=self._refresh, name="auditlane-jwks", daemon=True).start()  # in the background
        found = self._cached(kid)
        if found is not None and self._within(self._fetched_at, KEPT_S):
            return found
        if self.problem:
            raise IssuerUnavailable(
                f"Cannot fetch the signing keys of the issuer {self._issuer}: {self.problem}.",
                fix="Try again in a moment.",
            )
        raise Unauthenticated(
            "The token is signed with a key that its issuer does not publish.", fix="Get a new token from its issuer."
        )

    def _cached(self, kid: str | None) -> PublicKey | None:
        keys = self._keys
        if kid is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(kid)

    def _within(self, since: float | None, seconds: float) -> bool:
        return since is not None and self._clock() - since < seconds

    def _refresh(self) -> None:
        """Fetch the keys, unless another thread did so while this one waited for the lock."""
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
            raise ValueError(f"the discovery document belongs to the issuer {str(document['issuer'])[:200]!r}")
        url = str(document["jwks_uri"])
        if urlsplit(url).scheme not in ("https", urlsplit(self._issuer).scheme):
            raise ValueError(f"the key set's URL {url[:200]!r} is not https")
        return url

    def _fetch(self, url: str) -> dict[str, Any]:
        response = self._http.request("GET", url, redirect=False, preload_content=False)
        try:
            body = response.read(_MOST_BYTES + 1)
        finally:
            if response.status == 200:
                response.release_conn()
            else:
                response.close()
        if response.status != 200:
            raise ValueError(f"{url} responded with status {response.status}")
        if len(body) > _MOST_BYTES:
            raise ValueError(f"{url} responded with more than {_MOST_BYTES} bytes")
        document = json.loads(body)
        if not isinstance(document, dict):
            raise ValueError(f"{url} did not respond with a JSON object")
        return document


def _usable(document: dict[str, Any]) -> dict[str | None, PublicKey]:
    """Return the document's signature keys by id. Keys of unknown types are skipped."""
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
