"""How often wrong keys and codes are looked at, and how many tokens a client gets.

Somebody who guesses must not lock out the client whose id they try: only wrong attempts are charged, and a right secret
is let in whatever was tried before it. Guessing 256 bits is hopeless at any rate; what the limits save is work, log
lines and events of the trail.
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
from auditlane.server.middleware.client_networks import network_of

_MINUTE_S: Final = 60


class SignInLimits:
    """The limits of one process. Used on one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._by_address = _a_minute(settings.sign_in_failures_per_address)
        self._by_client = _a_minute(settings.sign_in_failures_per_client)
        self._issued = _a_minute(settings.tokens_per_client)

    @contextmanager
    def charging_failures(self, request: Request) -> Iterator[None]:
        """An attempt with a code. Raises RateLimited instead of Unauthenticated once this address had too many."""
        try:
            yield
        except Unauthenticated:
            self.failed(request)
            raise

    def failed(self, request: Request, client_id: str = "") -> None:
        """A key or a code was wrong. Raises RateLimited when this address, or this client id from it, had too many."""
        now, address = time.monotonic(), network_of(request.client.host if request.client else None)
        told = (address, client_id)
        wait_s = max(self._by_address.wait_s(address, now), self._by_client.wait_s(told, now) if client_id else 0.0)
        if wait_s:  # not charged: whoever goes on trying is let in again after the same time
            raise RateLimited(
                "Too many wrong keys or codes came from this address.",
                fix="Check the client id and the secret, and wait as long as Retry-After says.",
                retry_after_s=wait_s,
            )
        self._by_address.charge(address, 1, now)
        if client_id:
            self._by_client.charge(told, 1, now)

    def issue(self, client_id: str, tenant: str = "") -> None:
        """A client is about to get a token, or one for a user of a tenant. Raises RateLimited after too many."""
        now, told = time.monotonic(), (client_id, tenant)
        if wait_s := self._issued.wait_s(told, now):
            raise RateLimited(
                "This client asks for more tokens than it may.",
                fix="Use a token until it ends; wait as long as Retry-After says before you ask for the next.",
                retry_after_s=wait_s,
            )
        self._issued.charge(told, 1, now)


def _a_minute(most: int) -> Rates:
    return Rates(per_s=most / _MINUTE_S, burst=most)
