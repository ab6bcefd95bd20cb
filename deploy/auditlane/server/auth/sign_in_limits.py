"""Rate limits for failed sign-ins, and for the tokens issued to a client.

An attacker must not be able to lock out a client by guessing its secret, so only failures are charged, and a correct
secret is always accepted. Secrets have 256 bits, so guessing is futile at any rate. The limits reduce the work, log
lines and audit events that guessing causes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import Request

from auditlane.gateway.rate import Rates
from auditlane.runtime.errors import RateLimited, Unauthenticated
from auditlane.runtime.settings import Settings
from auditlane.server.middleware.client_addresses import network_of

_MINUTE_S: Final = 60


class SignInLimits:
    """One process's limits. Use it on one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._by_address = _per_minute(settings.sign_in_failures_per_address)
        self._by_client = _per_minute(settings.sign_in_failures_per_client)
        self._issued = _per_minute(settings.tokens_per_client)

    @contextmanager
    def charging_failures(self, request: Request) -> Iterator[None]:
        """Charge the failures in the block, such as a wrong code.

        Raises RateLimited above the address's limit.
        """
        try:
            yield
        except Unauthenticated:
            self.failed(request)
            raise

    def failed(self, request: Request, client_id: str = "") -> None:
        """Charge a failure.

        Raises RateLimited above the limit for the address, or for the client id from that address.
        """
        now, address = time.monotonic(), network_of(request.client.host if request.client else None)
        attempt = address, client_id
        wait_s = max(self._by_address.wait_s(address, now), self._by_client.wait_s(attempt, now) if client_id else 0.0)
        if wait_s:  # not charged, so that retrying does not extend the wait
            raise RateLimited(
                "Too many failed sign-ins from this address.",
                fix="Check the client id and the secret, and retry after the time in Retry-After.",
                retry_after_s=wait_s,
            )
        self._by_address.charge(address, 1, now)
        if client_id:
            self._by_client.charge(attempt, 1, now)

    def issue(self, client_id: str, tenant: str = "") -> None:
        """Charge a token for a client, or for a user of `tenant`. Raises RateLimited above the limit."""
        now, key = time.monotonic(), (client_id, tenant)
        if wait_s := self._issued.wait_s(key, now):
            raise RateLimited(
                "This client has requested too many tokens.",
                fix="Use each token until it expires. Request the next one after the time in Retry-After; "
                "AUDITLANE_TOKENS_PER_CLIENT is the limit.",
                retry_after_s=wait_s,
            )
        self._issued.charge(key, 1, now)


def _per_minute(limit: int) -> Rates:
    return Rates(per_s=limit / _MINUTE_S, burst=limit)
