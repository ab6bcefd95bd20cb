"""Plays sessions: people's and administrators' work, attacks, impersonations, integrations and backups.

A session is an iterator. A number is a pause in seconds, and an entry is an action that happens now. The inventory
changes when the iterator is resumed, so overlapping sessions see each other's changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import TypeAlias

from auditlane.contract.event import Outcome, Severity
from auditlane.local.demo import changes
from auditlane.local.demo.administration import administer
from auditlane.local.demo.changes import Change
from auditlane.local.demo.inventory import Inventory
from auditlane.local.demo.people import SYSTEM, Actor, Person, key_holder, masked, signed_in, stranger, supporter

Entry: TypeAlias = tuple[Actor, Change]
Session: TypeAlias = Iterator[float | Entry]

_LOCKED_S = 1_800.0


def work(inventory: Inventory, person: Person, dice: Random, *, at_office: bool) -> Session:
    """Sign in, work for a while, and usually sign out."""
    if not person.active:
        return
    actor = signed_in(person, dice, at_office=at_office)
    yield from _mistyped(actor, person, dice)
    if not person.active:
        return
    if person.locked:
        yield replace(actor, session_id=None), _refused(person, "locked", Severity.Medium, Outcome.denied)
        return
    yield actor, _login(person, dice)
    yield from _own_account(actor, person, dice)
    while person.active:
        yield dice.expovariate(1 / 300)
        if person.active:
            yield actor, changes.work(inventory, person, dice)
        if dice.random() < (0.4 if person.role == "viewer" else 0.2):
            break
    yield from _logout(actor, person, dice)


def administration(inventory: Inventory, admin: Person, dice: Random) -> Session:
    """Sign in as an administrator and carry out some tasks."""
    actor = signed_in(admin, dice, at_office=True)
    yield actor, _login(admin, dice)
    for _ in range(dice.randrange(2, 5)):
        yield dice.expovariate(1 / 120)
        for change in administer(inventory, admin, dice):
            yield actor, change
    yield from _logout(actor, admin, dice)


def joining(inventory: Inventory, invitation: str, dice: Random) -> Session:
    """Accept an invitation, and then work."""
    person = inventory.invited.pop(invitation)
    inventory.people.append(person)
    actor = replace(signed_in(person, dice, at_office=True), session_id=None)
    yield actor, Change("invitation.accepted", "invitation", invitation, Severity.Low)
    yield actor, Change(
        "member.added", "user", person.user_id, Severity.Low, metadata={"via": "invite"},
        after={"email": person.email, "role": person.role, "department": person.department},
    )  # fmt: skip
    yield 20.0
    yield from work(inventory, person, dice, at_office=True)


def attack(inventory: Inventory, person: Person, dice: Random) -> Session:
    """Guess the person's password until the account is locked. It is unlocked half an hour later."""
    actor = stranger(dice)
    attempts = dice.randrange(8, 26)
    for attempt in range(attempts):
        yield actor, _refused(person, "bad_credentials", Severity.Medium if attempt else Severity.Low)
        yield 1 + dice.expovariate(1 / 4)
    person.locked = True
    reason = {"reason": "brute_force", "attempts": str(attempts)}
    yield SYSTEM, _of_account("user.locked", person, Severity.High, reason)
    yield actor, Change(
        "threat.detected", "ip", actor.ip, Severity.High, Outcome.denied,
        f"{attempts} failed logins within minutes", metadata={"kind": "brute_force"},
    )  # fmt: skip
    yield _LOCKED_S
    person.locked = False
    yield SYSTEM, _of_account("user.unlocked", person, Severity.Low, {"reason": "expired"})


def impersonation(inventory: Inventory, person: Person, dice: Random) -> Session:
    """Sign in as the vendor's support, act as the person for a ticket, and leave."""
    if not person.active:
        return
    own = supporter(dice)
    acting = replace(own, on_behalf_of=person.user_id)
    ticket = {"reason": f"ticket {dice.randrange(2_000, 9_999)}"}
    yield own, Change("user.login", "user", own.actor_id, metadata={"method": "sso", "mfa": "webauthn"})
    yield 15.0
    yield acting, _of_account("user.impersonated", person, Severity.High, ticket)
    for _ in range(dice.randrange(1, 4)):
        yield dice.expovariate(1 / 90)
        yield acting, changes.work(inventory, person, dice)
    yield dice.expovariate(1 / 60)
    yield acting, _of_account("user.impersonation_ended", person, Severity.Info, ticket)
    yield 5.0
    yield own, Change("user.logout", "user", own.actor_id)


def synchronization(inventory: Inventory, dice: Random) -> Session:
    """Update customers and import data with an API key."""
    keys = [key for key, values in inventory.objects["api_key"].items() if values["enabled"]]
    if not keys:
        return
    key = dice.choice(keys[:2])
    actor = key_holder(key, str(inventory.objects["api_key"][key]["name"]))
    left = dice.randrange(1, 3)
    while inventory.objects["api_key"][key]["enabled"]:
        if not left:
            yield actor, changes.imported(dice)
            return
        left -= 1
        yield actor, changes.synced(inventory, dice)


def backup(dice: Random, *, ordinal: int) -> Session:
    """Make the product's nightly backup."""
    yield SYSTEM, changes.backed_up(dice, ordinal=ordinal)


def _of_account(action: str, person: Person, severity: Severity, metadata: Mapping[str, str]) -> Change:
    return Change(action, "user", person.user_id, severity, description=person.email, metadata=metadata)


def _login(person: Person, dice: Random) -> Change:
    factor = {"mfa": "totp"} if person.mfa else {}
    method = "sso" if person.department == "engineering" else "password"
    return Change("user.login", "user", person.user_id, metadata={"method": method, **factor})


def _logout(actor: Actor, person: Person, dice: Random) -> Session:
    """Sign out. One person in three just closes the page instead."""
    if dice.random() < 0.33:
        return
    yield dice.expovariate(1 / 200)
    if person.active:
        yield actor, Change("user.logout", "user", person.user_id)


def _mistyped(actor: Actor, person: Person, dice: Random) -> Session:
    """Mistype the password once or twice before one login in twelve."""
    if dice.random() > 0.08:
        return
    for _ in range(dice.randrange(1, 3)):
        if not person.active:
            return
        yield replace(actor, session_id=None), _refused(person, "bad_credentials", Severity.Low)
        yield 3 + dice.expovariate(1 / 8)


def _refused(person: Person, reason: str, severity: Severity, outcome: Outcome = Outcome.failure) -> Change:
    metadata = {"reason": reason, "login": masked(person.email)}
    return Change("user.login_failed", "user", person.user_id, severity, outcome, metadata=metadata)


def _own_account(actor: Actor, person: Person, dice: Random) -> Session:
    """Occasionally change the person's own account."""
    if not person.mfa and dice.random() < 0.15:
        yield dice.expovariate(1 / 40)
        if not person.active:
            return
        person.mfa = True
        yield actor, Change("user.mfa_enrolled", "user", person.user_id, Severity.Medium, metadata={"factor": "totp"})
    elif dice.random() < 0.02:
        yield dice.expovariate(1 / 60)
        if person.active:
            yield actor, Change("user.password_changed", "user", person.user_id, Severity.Medium)
