"""Decides what the gateway's response means for the events of a request, and when to send the rest again. This module
performs no I/O.

A response that is not from the gateway, such as the page of a proxy, never settles an event: it is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from auditlane.runtime.errors import AuditlaneError, EventTooLarge, GatewayUnavailable, RateLimited
from auditlane.sdk.http import error_of

_FIRST_S: Final = 0.2
_LONGEST_S: Final = 30.0
_LONGEST_RETRY_AFTER_S: Final = 300.0
_TRANSIENT: Final = frozenset({408, 425, 429})
_NO_GATEWAY: Final = frozenset({404, 405, 410, 501})
_SHOWN: Final = 120  # characters of a body that are shown


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. The names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The outcome of each event, in order. It is None if the event was accepted, an error if it was rejected, and
    LATER or LIMITED if it has to be sent again, at the earliest after `after_s`. LIMITED means that its tenant has
    reached a limit.
    """

    each: Sequence[AuditlaneError | str | None]
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """No event was accepted, for a reason unrelated to the events. `renew` means that the credential was rejected."""

    problem: AuditlaneError
    after_s: float | None = None
    renew: bool = False


@dataclass(frozen=True, slots=True)
class Smaller:
    """The request was refused because of its size, or because of one of its events, so fewer events have to be sent at
    once. An event that was sent alone is rejected with `error` if `certain` is true. Otherwise, something between the
    client and the gateway may have refused it.
    """

    error: AuditlaneError
    certain: bool


@dataclass(frozen=True, slots=True)
class Uncompressed:
    """The request has to be sent again without compression."""


Verdict = Outcomes | Again | Smaller | Uncompressed
LATER: Final = "later"
LIMITED: Final = "limited"


def read(answer: Answer, event_ids: Sequence[str], url: str, now: datetime, *, compressed: bool) -> Verdict:
    """Return what a response means for the events with these ids, in the order in which they were sent."""
    status = answer.status
    problem = _object(answer.body)
    after_s = retry_after_s(answer.headers.get("retry-after", ""), now)
    if (outcomes := _outcomes(status, problem, event_ids, after_s)) is not None:
        return outcomes
    if status == 401:
        return Again(_error(answer, "Correct the credential of AUDITLANE_URL.", url), after_s, renew=True)
    if 300 <= status < 400:
        place = _shown(answer.headers.get("location", "another place"))
        return Again(
            GatewayUnavailable(
                f"The gateway at {url} redirects to {place}. The client does not follow it, since that would send the "
                "credential there.",
                fix="Set AUDITLANE_URL to the address of the gateway itself.",
            )
        )
    if status == 429:
        return Again(RateLimited(f"The gateway at {url} limits the rate of requests."), after_s)
    if status in _TRANSIENT or (status >= 500 and status not in _NO_GATEWAY):
        return Again(_error(answer, "Events wait until it accepts them.", url), after_s)
    if status == 415 and compressed:
        return Uncompressed()
    ours = str(problem.get("type", "")).startswith("urn:auditlane:problem:")
    if (status == 403 and ours) or status in _NO_GATEWAY or not 400 <= status < 500:
        fix = "Grant the client the permission audits:write." if status == 403 else _NO_GATEWAY_FIX
        return Again(_error(answer, fix, url))
    return Smaller(_error(answer, "", url), certain=ours or status == 413)


_NO_GATEWAY_FIX: Final = "Correct AUDITLANE_URL: it is the address of `auditlane serve` with the role ingest."


def _outcomes(
    status: int, content: Mapping[str, Any], event_ids: Sequence[str], after_s: float | None
) -> Outcomes | None:
    """Return the outcomes in the gateway's response, or None if it has none."""
    results, accepted = content.get("results"), content.get("accepted")
    if not isinstance(results, list) or not isinstance(accepted, int) or not (status in (202, 207) or status >= 400):
        return None
    if status >= 400 and (accepted or not results):
        return None
    found: dict[int, AuditlaneError | str | None] = {}
    for result in results:
        if not isinstance(result, dict) or not isinstance(index := result.get("index"), int):
            return None
        if 0 <= index < len(event_ids):
            found[index] = _outcome(result, event_ids[index])
    errors = sum(outcome is not None for outcome in found.values())
    # The gateway may leave out the results of accepted events.
    others = None if accepted + errors == len(event_ids) else LATER
    if status >= 400:
        others = LATER
    return Outcomes([found.get(place, others) for place in range(len(event_ids))], after_s)


def _outcome(result: Mapping[str, Any], event_id: str) -> AuditlaneError | str | None:
    status = result.get("status")
    if status == 202:
        return None if result.get("event_id") == event_id else LATER
    if status == 429:
        return LIMITED
    if not isinstance(status, int) or status in _TRANSIENT or not 400 <= status < 500 or status == 401:
        return LATER
    if result.get("code") == "TOO_LARGE":  # the request has too many bytes or events from here on
        return LATER
    return error_of(status, json.dumps(dict(result)).encode())


def _error(answer: Answer, fix: str, url: str) -> AuditlaneError:
    """Return the error for a response that concerns the whole request."""
    problem = _object(answer.body)
    if problem.get("code"):
        error = error_of(answer.status, answer.body)
        if answer.status == 401 or answer.status >= 403:
            error.fix = error.fix or fix
        if answer.status == 413:
            return EventTooLarge(error.message, field=error.field, fix=error.fix)
        return error
    kind = _shown(answer.headers.get("content-type", "")) or "no content type"
    text = f"The gateway at {url} responded with status {answer.status} and {kind}, which is not from a gateway"
    error_type = EventTooLarge if answer.status == 413 else GatewayUnavailable
    return error_type(f"{text}.", fix=fix or "Check the proxy in front of the gateway.")


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _shown(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN])


def retry_after_s(value: str, now: datetime) -> float | None:
    """Return the seconds in a `Retry-After` header, at most five minutes. Returns None if it is missing or invalid."""
    value = value.strip()
    try:
        seconds = float(value) if value.isdigit() else (parsedate_to_datetime(value) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER_S)


def wait_s(failures: int, after_s: float | None, chance: float) -> float:
    """Return how long to wait after a number of consecutive failures, at least `after_s`. `chance` is between 0 and 1,
    and keeps clients from retrying all at the same time.
    """
    if after_s is not None and after_s > 0:
        return after_s * (1 + 0.2 * chance)
    return min(_FIRST_S * 2.0 ** min(failures - 1, 16), _LONGEST_S) * (0.5 + 0.5 * chance)
