"""The demo's actors: tenants' people, the vendor's support, API keys and the product itself.

Every address is in a documentation range (RFC 5737, RFC 3849), and every domain is example.com.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from auditlane.local.demo.chance import token, weighted
from auditlane.local.demo.tenants import Tenant

ROLES: Final = ("admin", "editor", "viewer")
_AGENTS: Final = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36": 5,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15": 4,
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0": 3,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile": 1,
}
_SCRIPT: Final = "python-requests/2.32.5"
_INTEGRATION: Final = "Apache-HttpClient/5.5 (Java/21.0.8)"
_ROLE_NAMES: Final = {
    "admin": "admin",
    "engineering": "engineer",
    "finance": "finance",
    "sales": "sales",
    "support": "support",
}


@dataclass(slots=True)
class Person:
    """A member of a tenant. `zone` is the offset from UTC in hours."""

    user_id: str
    email: str
    department: str
    role: str
    zone: int
    home: str
    office: str
    agent: str
    mfa: bool
    active: bool = True
    locked: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """A session's actor and the actor's address, shared by all events of the session."""

    actor_id: str
    actor_type: str
    actor_name: str | None
    source: str
    ip: str | None = None
    user_agent: str | None = None
    department: str | None = None
    session_id: str | None = None
    on_behalf_of: str | None = None


SYSTEM: Final = Actor("scheduler", "system", "scheduler", "maintenance")


def staff(tenant: Tenant, dice: Random) -> list[Person]:
    """Return the tenant's people, administrators first."""
    return [
        hired(tenant, department, number, dice)
        for department, size in tenant.staff.items()
        for number in range(1, size + 1)
    ]


def hired(tenant: Tenant, department: str, number: int, dice: Random) -> Person:
    """Return a new member of a department. `number` is the member's number within it."""
    role = "admin" if department == "admin" else weighted(dice, {"editor": 4, "viewer": 1})
    return Person(
        user_id=token(dice, "usr"),
        email=f"{_ROLE_NAMES[department]}-{number:02d}@example.com",
        department=department,
        role=role,
        zone=dice.choice(tenant.zones),
        home=_home(dice),
        office=f"198.51.100.{dice.randrange(10, 20)}",
        agent=weighted(dice, _AGENTS),
        mfa=dice.random() < 0.7,
    )


def signed_in(person: Person, dice: Random, *, at_office: bool) -> Actor:
    """Return the person as the actor of a new session."""
    return Actor(
        person.user_id,
        "user",
        person.email,
        "web",
        person.office if at_office else person.home,
        person.agent,
        person.department,
        token(dice, "ses"),
    )


def supporter(dice: Random) -> Actor:
    """Return one of the vendor's support staff in a new session."""
    number = dice.randrange(1, 4)
    return Actor(
        f"vendor-support-{number}",
        "user",
        f"vendor-support-{number}@example.com",
        "support-console",
        f"2001:db8:ffff::{number:x}",
        weighted(dice, _AGENTS),
        None,
        token(dice, "ses"),
    )


def stranger(dice: Random) -> Actor:
    """Return an actor who guesses passwords without being signed in."""
    return Actor("", "anonymous", None, "web", f"203.0.113.{dice.randrange(1, 255)}", _SCRIPT)


def key_holder(key_id: str, name: str) -> Actor:
    """Return the program that uses an API key."""
    return Actor(key_id, "api_key", name, "api", "192.0.2.250", _INTEGRATION)


def masked(email: str) -> str:
    """Mask an email address as in a failed login, keeping its first letter and its domain."""
    name, _, domain = email.partition("@")
    return f"{name[0]}***@{domain}"


def _home(dice: Random) -> str:
    if dice.random() < 0.3:
        return f"2001:db8:{dice.randrange(1, 0xFFF):x}::{dice.randrange(1, 0xFFFF):x}"
    return f"192.0.2.{dice.randrange(1, 240)}"
