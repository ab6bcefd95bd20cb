"""Tests the events about things that expire, hourly counts of rejected messages, and registered contracts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fixtures.authority import authority

from auditlane.access.audit import AuditRecord
from auditlane.access.keys import Client, Secret
from auditlane.contract.partition import Partition
from auditlane.contract.vocabulary import ACTIONS
from auditlane.observe import expiry, probes, refused, schemas
from auditlane.observe.http_refusals import HttpRefusals
from auditlane.observe.measurements import Expiry, Refusal, Rejected
from auditlane.observe.probes import asked, key_expiry, topic_lags
from auditlane.observe.refused import HOUR_MS
from auditlane.observe.state import UNKNOWN, Letters, Noticed
from auditlane.operations.lag import PartitionLag
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import load

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TWO_WEEKS = 14 * DAY
TOPIC = "audit.events"


def expiring(
    known: dict[str, datetime], *found: Expiry, unread: tuple[str, ...] = ()
) -> tuple[dict[str, datetime], list[AuditRecord]]:
    return expiry.check(known, found, unread=unread, within=TWO_WEEKS, now=NOW)


def certificate(left: timedelta, life: timedelta | None = 90 * DAY) -> Expiry:
    at = NOW + left
    return Expiry("certificate", "/ca.pem", at, at - life if life else None)


def test_a_certificate_is_reported_once_and_again_when_it_was_renewed() -> None:
    known, [event] = expiring({}, certificate(6 * DAY))
    assert (event.action, event.resource_id, event.severity) == ("certificate.expiring", "/ca.pem", None)
    assert event.metadata == {"at": "2026-03-07T12:00:00Z", "left": "6 days"}
    again, none = expiring(known, certificate(6 * DAY))
    assert (again, none) == (known, [])
    after, [renewed] = expiring(known, certificate(80 * DAY))
    assert (after, renewed.action, renewed.outcome) == ({}, "certificate.renewed", "success")
    assert expiring({}, certificate(80 * DAY)) == ({}, [])


def test_what_could_not_be_read_once_is_not_reported_again() -> None:
    key = Expiry("key", "al_1", NOW + DAY)
    known, events = expiring({}, certificate(DAY), key)
    assert len(events) == 2
    assert expiring(known, certificate(DAY), unread=("key:",)) == (known, [])
    assert expiring(known, key, unread=("certificate:/ca.pem",)) == (known, [])
    after, [renewed] = expiring(known, certificate(80 * DAY), unread=("certificate:", "key:"))
    assert (list(after), renewed.action) == (["key:al_1"], "certificate.renewed")
    assert expiring(known, key) == ({"key:al_1": NOW + DAY}, [])


@pytest.mark.parametrize(
    ("one", "events"),
    [
        (certificate(13 * DAY, life=None), ["certificate.expiring"]),
        (certificate(13 * DAY, life=30 * DAY), []),  # more than a third of its lifetime
        (certificate(9 * DAY, life=30 * DAY), ["certificate.expiring"]),
        (certificate(timedelta(hours=20), life=DAY), []),  # renewed daily
        (certificate(-DAY), ["certificate.expiring"]),  # the certificate is in use, so connections fail
        (Expiry("key", "al_1", NOW + DAY), ["key.expiring"]),
        (Expiry("key", "al_1", NOW - DAY), []),  # the key may be abandoned
    ],
)
def test_what_is_about_to_expire_depends_on_its_life(one: Expiry, events: list[str]) -> None:
    assert [event.action for event in expiring({}, one)[1]] == events


def test_little_time_is_severe_and_a_tenants_key_is_in_its_log() -> None:
    [event] = expiring({}, Expiry("key", "al_1", NOW + 2 * DAY, tenant="acme"))[1]
    assert (event.severity, event.tenant, event.metadata["left"]) == ("High", "acme", "2 days")


def test_a_key_that_expired_after_its_report_can_still_be_renewed() -> None:
    known, _ = expiring({}, Expiry("key", "al_1", NOW + DAY))
    known, events = expiring(known, Expiry("key", "al_1", NOW - DAY))
    assert (list(known), events) == (["key:al_1"], [])
    assert [one.action for one in expiring(known, Expiry("key", "al_1", NOW + 90 * DAY))[1]] == ["key.renewed"]
    assert expiring(known) == ({}, []), "a key that was removed is not reported"


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (timedelta(days=6, hours=23), "6 days"),
        (DAY, "1 day"),
        (timedelta(hours=5), "5 hours"),
        (timedelta(seconds=30), "0 minutes"),
        (timedelta(0), "expired"),
    ],
)
def test_durations_are_readable(left: timedelta, text: str) -> None:
    assert expiry.duration(left) == text


def client(expires: datetime | None = None, *ends: datetime | None, revoked: bool = False) -> Client:
    secrets = tuple(Secret(hash=f"sha256:{'0' * 64}", created=NOW - DAY, expires=end) for end in ends or (None,))
    return Client(
        client_id="al_1",
        roles=("vendor",),
        created=NOW - DAY,
        expires=expires,
        revoked=NOW if revoked else None,
        secrets=secrets,
    )


@pytest.mark.parametrize(
    ("one", "at"),
    [
        (client(), None),
        (client(NOW + DAY), NOW + DAY),
        (client(NOW + DAY, revoked=True), None),
        (client(None, NOW + DAY, None), None),  # after a rotation, the old secret ends as intended
        (client(None, NOW + DAY, NOW + 2 * DAY), NOW + 2 * DAY),
        (client(NOW + DAY, NOW + 2 * DAY), NOW + DAY),
    ],
)
def test_a_key_expires_with_its_client_or_its_last_secret(one: Client, at: datetime | None) -> None:
    found = key_expiry(one, NOW)
    assert (found and found.at) == at


def test_a_certificate_file_has_the_life_of_its_first_or_its_longest_certificate(tmp_path: Path) -> None:
    made = authority(tmp_path / "ca", "127.0.0.1")
    for own in (True, False):
        found = probes.certificate(made.certificate, own)
        assert (found.kind, found.name) == ("certificate", str(made.certificate))
        assert found.since is not None
        assert found.at - found.since == timedelta(days=1, hours=1)
    with pytest.raises(ConfigError, match="Cannot read a certificate"):
        probes.certificate(made.key, own=True)
    settings = load(clickhouse_ca=made.ca, kafka_extra={"ssl.certificate.location": str(made.certificate)})
    assert probes.certificate_files(settings) == {made.ca: False, made.certificate: True}


def letters(counts: dict[Refusal, int], *, end: int, complete: bool = True) -> Rejected:
    return Rejected(counts, {0: end}, complete)


def at(hour: int, minute: int = 30) -> int:
    return hour * HOUR_MS + minute * 60_000


RULE, FRAMED = Refusal(5, TOPIC, "FIELD_RULE", "acme"), Refusal(5, TOPIC, "NOT_FRAMED", None)


def test_an_hour_of_rejections_is_one_event_for_each_code_and_tenant() -> None:
    state, events = refused.take(None, letters({}, end=7), at(5))
    assert (state, events) == (Letters(positions={0: 7}), [])
    state, events = refused.take(state, letters({RULE: 3, FRAMED: 1}, end=11), at(5, 40))
    state, more = refused.take(state, letters({RULE: 2, RULE._replace(hour=6): 9}, end=22), at(6, 0))
    assert (events, more, state.positions) == ([], [], {0: 22})
    state, events = refused.take(state, letters({}, end=22), at(6, 1))
    assert [(one.tenant, one.resource_id, one.metadata) for one in events] == [
        (tenant, TOPIC, {"code": code, "count": count, "since": "1970-01-01T05:00:00Z",
                         "until": "1970-01-01T06:00:00Z", "via": "kafka"})
        for tenant, code, count in (("acme", "FIELD_RULE", "5"), (None, "NOT_FRAMED", "1"))
    ]  # fmt: skip
    assert {one.action for one in events} == {"events.refused"}
    assert events[0].occurred_at == datetime(1970, 1, 1, 6, tzinfo=UTC)
    assert [(one.refusal.hour, one.count) for one in state.counts] == [(6, 9)]


def test_an_hour_is_reported_only_when_all_of_its_letters_were_read() -> None:
    state, _ = refused.take(None, letters({}, end=0), at(5))
    state, events = refused.take(state, letters({RULE: 3}, end=9, complete=False), at(6))
    assert events == []
    assert [one.metadata["count"] for one in refused.take(state, letters({RULE: 1}, end=10), at(6))[1]] == ["4"]


def test_the_number_of_events_is_bounded_and_no_count_is_lost() -> None:
    found = {RULE._replace(tenant=f"t{number}"): 2 for number in range(3_000)}
    state, _ = refused.take(Letters(), letters(found, end=6_000), at(5))
    events = refused.take(state, letters({}, end=6_000), at(7))[1]
    assert len(events) == refused.MOST + 1
    assert sum(int(one.metadata["count"]) for one in events) == 6_000
    assert events[0].tenant is None, "the others, counted together"


def test_a_name_that_is_no_tenant_gets_no_log() -> None:
    [event] = refused.events({RULE._replace(tenant="not a tenant"): 1})
    assert event.tenant is None


class Kept:
    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def record(self, record: AuditRecord) -> None:
        self.records.append(record)


def test_refusals_over_http_are_recorded_when_their_hour_is_over_or_the_process_ends() -> None:
    kept = Kept()
    refusals = HttpRefusals(TOPIC, kept)
    for tenant in ("acme", "acme", ""):
        refusals.add(tenant, "EVENT_INVALID")
    refusals.turn(datetime.now(UTC))
    assert kept.records == []
    refusals.turn(datetime.now(UTC) + timedelta(hours=2))
    assert [(one.tenant, one.metadata["count"], one.metadata["via"]) for one in kept.records] == [
        ("acme", "2", "http"),
        (None, "1", "http"),
    ]
    refusals.add("acme", "EVENT_INVALID")
    refusals.close()
    refusals.close()
    assert len(kept.records) == 3


def test_two_processes_with_one_name_count_in_two_events() -> None:
    """A container that is restarted within the hour has the same host name and process id."""
    kept = Kept()
    for _ in range(2):
        refusals = HttpRefusals(TOPIC, kept)
        refusals.add("acme", "EVENT_INVALID")
        refusals.close()
    first, second = kept.records
    assert first.metadata == second.metadata
    assert first.event_id != second.event_id


BASE, ACME = f"{TOPIC}-value", f"{TOPIC}.acme-value"


def compare(known: dict[str, int] | None, **versions: int) -> tuple[dict[str, int], list[Noticed]]:
    names = {"base": BASE, "acme": ACME}
    found = {names[name]: version for name, version in versions.items()}
    return schemas.compare(TOPIC, known, frozenset({BASE, ACME, "foreign-value"}), found, 5)


def test_a_slow_registry_is_asked_for_a_part_of_the_subjects() -> None:
    now = 0.0

    def versions(subject: str) -> int:
        nonlocal now
        now += 4.0
        return int(subject)

    assert asked(map(str, range(20)), versions, seconds=10.0, clock=lambda: now) == {"0": 0, "1": 1, "2": 2}


def test_a_registered_version_is_noticed() -> None:
    known, noticed = compare(None, base=3)
    assert (known, noticed) == ({BASE: 3, ACME: UNKNOWN}, [])
    known, noticed = compare(known, acme=7)
    assert (known, noticed) == ({BASE: 3, ACME: 7}, [])
    known, [new] = compare(known, base=3, acme=9)
    assert new == Noticed(subject=ACME, previous=7, version=9, at_ms=5)
    assert compare(known, base=2)[1] == [], "a version was deleted"


def test_a_new_contract_is_noticed_with_its_first_version() -> None:
    known, noticed = compare({BASE: 3})
    assert (known, noticed) == ({BASE: 3}, []), "not asked for yet"
    _, [new] = compare(known, acme=1)
    assert (new.subject, new.previous, new.version) == (ACME, None, 1)


NEW = Noticed(subject=ACME, previous=None, version=1, at_ms=1_000)


@pytest.mark.parametrize(
    ("recorded", "behind_s", "now_s", "waits", "events"),
    [
        (frozenset(), 0.0, 61, False, 1),
        (frozenset(), 0.0, 60, True, 0),  # the client's own event may not have arrived yet
        (frozenset(), 30.0, 90, True, 0),
        (frozenset(), 30.0, 91, False, 1),
        (frozenset({(ACME, 1)}), 0.0, 2, False, 0),
        (frozenset({(ACME, 2), (BASE, 1)}), 0.0, 61, False, 1),
        (None, 0.0, 999, True, 0),  # the log cannot be read
        (frozenset(), None, 999, True, 0),  # the lag cannot be read either
    ],
)
def test_a_version_is_recorded_unless_its_client_has(
    recorded: frozenset[tuple[str, int]] | None, behind_s: float | None, now_s: int, waits: bool, events: int
) -> None:
    waiting, made = schemas.settle(TOPIC, [NEW], recorded, behind_s=behind_s, now_ms=now_s * 1_000)
    assert (waiting, len(made)) == ((NEW,) if waits else (), events)
    for one in made:
        assert (one.action, one.resource_id, one.tenant) == ("schema.changed", ACME, "acme")
        assert one.metadata == {"previous": "none", "version": "1"}


def test_every_subject_is_asked_for_in_turn_and_new_ones_first() -> None:
    subjects = [f"s{number}" for number in range(50)]
    known = dict.fromkeys(subjects, 1)
    asked = [schemas.next_subjects(subjects, known, turn) for turn in range(50)]
    assert {len(one) for one in asked} == {schemas.PER_CHECK}
    assert set().union(*asked[:3]) == set(subjects)
    del known["s49"]
    assert schemas.next_subjects(subjects, known, 0)[0] == "s49"
    assert schemas.next_subjects([], {}, 3) == []


def test_the_lag_of_a_topic_is_that_of_its_oldest_partition() -> None:
    def row(number: int, lag: int, age_s: float | None) -> PartitionLag:
        return PartitionLag(Partition(TOPIC, number), 0, lag, lag=lag, lost=0, age_s=age_s, member="")

    [found] = topic_lags([row(0, 5, 3.0), row(1, 0, None), row(2, 7, 60.0)]).values()
    assert (found.seconds, found.events, found.behind, found.certain) == (60.0, 12, (0, 2), True)
    assert not topic_lags([row(0, 5, None)])[TOPIC].certain


def test_the_events_are_those_of_the_vocabulary() -> None:
    events = [
        *expiring({}, certificate(DAY))[1],
        *refused.events({RULE: 1}),
        *schemas.settle(TOPIC, [NEW], frozenset(), behind_s=0, now_ms=90_000)[1],
    ]
    assert all(ACTIONS[one.action].required.keys() <= one.metadata.keys() for one in events)
