"""Measures the Kafka offsets, dead letters, disks, certificates, keys and registry of an installation.

A component that does not respond is omitted from the measurements. A log line is written when a component stops
responding, and when it responds again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from pathlib import Path
from shutil import disk_usage
from typing import Any, Final, TypeVar

from clickhouse_connect.driver.client import Client

from auditlane.access.keys import Client as KeyClient
from auditlane.access.keys import KeysFile
from auditlane.contract.dead_letter import Letter, Resolution
from auditlane.contract.registry import RegistryClient
from auditlane.contract.registry_client import registry_client
from auditlane.contract.tenants import OURS
from auditlane.observe import schemas
from auditlane.observe.measurements import Disk, Expiry, Measurements, Refusal, Rejected, TopicLag
from auditlane.observe.refused import hour_of
from auditlane.observe.state import ObserverState
from auditlane.operations.dlq.topic import LetterTopic, Recreated
from auditlane.operations.kafka_offsets import KafkaOffsets
from auditlane.operations.lag import GroupLag, PartitionLag
from auditlane.runtime.errors import AuditlaneError, ConfigError
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings
from auditlane.store.client import store_errors

T = TypeVar("T")
ASK_S: Final = 3.0  # timeout of each request to the brokers
_READ_S: Final = 5.0  # time spent reading the dead-letter topic in one check
_REGISTRY_S: Final = 10.0  # time limit after which a check stops requesting versions
_QUERY_S: Final = 4  # time limit for the freshness query
_EXPIRY_EVERY_S: Final = 60.0
_DATA: Final = "data folder"
_DISKS: Final = "SELECT name, path, free_space, total_space FROM system.disks WHERE is_remote = 0 AND total_space > 0"
_FRESHNESS: Final = """
SELECT quantiles(0.5, 0.99)(dateDiff('millisecond', kafka_timestamp, ingested_at) / 1000)
FROM {database:Identifier}.{table:Identifier}
WHERE ingested_at >= fromUnixTimestamp64Milli({since:Int64}) AND ingested_at < fromUnixTimestamp64Milli({until:Int64})
HAVING count() > 0
"""
_RECORDED: Final = f"""
SELECT assumeNotNull(resource_id), metadata['version'] FROM {{database:Identifier}}.log
WHERE tenant_id = '{OURS}' AND action = 'schema.changed' AND occurred_at >= now64(6) - INTERVAL 1 DAY
    AND resource_id IN {{subjects:Array(String)}}
"""  # noqa: S608 - our own constant, values are parameters


class Probes:
    """Measures an installation, and keeps its connections open between checks. Must be used from one thread."""

    def __init__(self, settings: Settings, store: Callable[[], Client]) -> None:
        self._settings = settings
        self._store = store
        self._group: GroupLag | None = None
        self._offsets: KafkaOffsets | None = None
        self._registry: RegistryClient | None = None
        self._keys: KeysFile | None = None
        self._turn = 0
        self._expiries_at = 0.0
        self._table = ""
        self._problems: dict[str, str] = {}
        self._log = get("observe")

    def close(self) -> None:
        """Close the connections. The next check opens new ones."""
        for part in (self._group, self._offsets, self._registry):
            if part is not None:
                part.close()
        self._group = self._offsets = self._registry = None

    def measure(self, state: ObserverState) -> Measurements:
        """Take the measurements for one check. `state` contains the offsets up to which dead letters have been
        counted.
        """
        self._turn += 1
        kafka, registry = bool(self._settings.kafka_bootstrap), bool(self._settings.registry_url)
        rows = self._attempt("lag", self._lag) if kafka else None
        subjects = self._attempt("registry", self._subjects) if registry else None
        store_disks = self._attempt("disks", self._store_disks)
        expiries, unread = self._expiries()
        return Measurements(
            topics=None if rows is None else topic_lags(rows),
            received=None if rows is None else sum(row.end for row in rows),
            completed=None if rows is None else sum(row.end - row.lag for row in rows),
            rejected=self._attempt("dead letters", lambda: self._rejected(state)) if kafka else None,
            disks=self._disks(store_disks),
            all_disks=store_disks is not None,
            expiries=expiries,
            unread=unread,
            subjects=subjects,
            recorded=self._attempt("log", lambda: self._recorded(state)) if state.noticed else None,
            versions=self._attempt("registry", lambda: self._versions(state, subjects)) or {} if subjects else {},
        )

    def freshness(self, since_ms: int, until_ms: int) -> tuple[float | None, float | None]:
        """Return the median and the 99th percentile, in seconds, of the delay from Kafka's timestamp to a worker's
        validation.

        The result covers rows that were validated in the period, and is (None, None) if none were.
        """

        def ask() -> tuple[float | None, float | None]:
            client, database = self._store(), self._settings.clickhouse_database
            parameters: dict[str, Any] = {"database": database, "since": since_ms, "until": until_ms}
            with store_errors():
                if not self._table:
                    clustered = client.command(f"EXISTS TABLE `{database}`.events_all")
                    self._table = "events_all" if clustered == 1 else "events"
                parameters["table"] = self._table
                limit = {"max_execution_time": _QUERY_S}  # the driver's timeout would not end the query
                rows = client.query(_FRESHNESS, parameters=parameters, settings=limit).result_rows
            return (max(0.0, rows[0][0][0]), max(0.0, rows[0][0][1])) if rows else (None, None)

        return self._attempt("freshness", ask) or (None, None)

    def _attempt(self, what: str, ask: Callable[[], T]) -> T | None:
        try:
            found = ask()
        except AuditlaneError as error:
            if self._problems.get(what) != str(error):
                self._problems[what] = str(error)
                self._log.warning("observe.unmeasured", what=what, problem=str(error))
            return None
        self._problems.pop(what, None)
        return found

    def _lag(self) -> list[PartitionLag]:
        self._group = self._group or GroupLag(self._settings, ask_s=ASK_S)
        return self._group.rows(unused=True)

    def _rejected(self, state: ObserverState) -> Rejected:
        self._offsets = self._offsets or KafkaOffsets(self._settings, ask_s=ASK_S)
        partitions = self._offsets.partitions(self._settings.dead_letter_topic)
        ends = {one.number: end for one, end in self._offsets.high(partitions).items()}
        known = None if state.letters is None else state.letters.positions
        if known is None or known == ends:
            return Rejected({}, ends)
        positions, counts = dict(known), _Counts()
        try:
            LetterTopic(self._settings).follow(counts, positions, seconds=_READ_S)
        except Recreated:
            return Rejected({}, ends)
        complete = all(positions.get(number, 0) >= end for number, end in ends.items())
        return Rejected(counts.found, positions, complete)

    def _disks(self, store: dict[Path, tuple[str, Disk]] | None) -> dict[str, Disk] | None:
        folder = self._settings.data_dir
        usage = disk_usage(folder) if folder.is_dir() else None
        return disks_of(store, folder.resolve(), Disk(usage.free, usage.total) if usage else None)

    def _store_disks(self) -> dict[Path, tuple[str, Disk]]:
        with store_errors():
            rows = self._store().query(_DISKS).result_rows
        return {Path(path): (name, Disk(int(free), int(total))) for name, path, free, total in rows}

    def _expiries(self) -> tuple[tuple[Expiry, ...] | None, tuple[str, ...]]:
        if time.monotonic() - self._expiries_at < _EXPIRY_EVERY_S:
            return None, ()
        self._expiries_at = time.monotonic()
        keys = self._attempt("keys", self._key_expiries)
        files = certificate_files(self._settings)
        certificates = {
            path: self._attempt(f"certificate {path}", partial(certificate, path, own)) for path, own in files.items()
        }
        unread = [f"certificate:{path}" for path, found in certificates.items() if found is None]
        found = (*(keys or ()), *(one for one in certificates.values() if one is not None))
        return found, (*unread, *(["key:"] if keys is None else []))

    def _key_expiries(self) -> list[Expiry]:
        if self._settings.keys_file is None:
            return []
        self._keys = self._keys or KeysFile(self._settings.keys_file)
        now = datetime.now(UTC)
        return [found for client in self._keys.clients() if (found := key_expiry(client, now)) is not None]

    def _subjects(self) -> frozenset[str]:
        self._registry = self._registry or registry_client(self._settings)
        return self._registry.subjects()

    def _versions(self, state: ObserverState, subjects: frozenset[str]) -> dict[str, int]:
        assert self._registry is not None
        watched = schemas.watched(self._settings.topic, subjects)
        wanted = schemas.next_subjects(watched, state.subjects, self._turn)
        versions = self._registry.versions
        return asked(wanted, lambda subject: max(versions(subject)), seconds=_REGISTRY_S)

    def _recorded(self, state: ObserverState) -> frozenset[tuple[str, int]]:
        subjects = sorted({one.subject for one in state.noticed})
        parameters: dict[str, Any] = {"database": self._settings.clickhouse_database, "subjects": subjects}
        with store_errors():
            rows = self._store().query(_RECORDED, parameters=parameters).result_rows
        return frozenset((subject, int(version)) for subject, version in rows if version.isdigit())


class _Counts:
    """Counts dead letters by hour, topic, code and tenant."""

    def __init__(self) -> None:
        self.found: Counter[Refusal] = Counter()

    def add(self, records: Iterable[Letter | Resolution | None]) -> None:
        for one in records:
            if isinstance(one, Letter):
                self.found[Refusal(hour_of(one.published_ms), one.topic, one.code, one.tenant)] += 1


def asked(
    names: Iterable[str], ask: Callable[[str], T], *, seconds: float, clock: Callable[[], float] = time.monotonic
) -> dict[str, T]:
    """Return the answer for each name. Names that are left after `seconds` are omitted.

    A check must not take longer than the lease. If it did, two observers would keep replacing each other without a
    result.
    """
    ends = clock() + seconds
    return {name: ask(name) for name in takewhile(lambda _: clock() < ends, names)}


def disks_of(
    store: Mapping[Path, tuple[str, Disk]] | None, folder: Path, of_folder: Disk | None
) -> dict[str, Disk] | None:
    """Return the disks to watch, by name: ClickHouse's (`store`, keyed by path) and, if it exists, the data folder's.

    ClickHouse's disks below the data folder belong to the embedded server and are not listed twice. Pure.
    """
    if of_folder is None:
        return None if store is None else {f"clickhouse:{name}": disk for name, disk in store.values()}
    others = {f"clickhouse:{name}": disk for path, (name, disk) in (store or {}).items() if folder not in path.parents}
    return {_DATA: of_folder, **others}


def topic_lags(rows: Iterable[PartitionLag]) -> dict[str, TopicLag]:
    """Summarize the partitions' lag by topic. Pure."""
    by_topic: dict[str, list[PartitionLag]] = {}
    for row in rows:
        by_topic.setdefault(row.partition.topic, []).append(row)
    return {topic: _topic_lag(found) for topic, found in by_topic.items()}


def _topic_lag(rows: list[PartitionLag]) -> TopicLag:
    behind = [row for row in rows if row.lag]
    return TopicLag(
        seconds=max((row.age_s or 0.0 for row in behind), default=0.0),
        events=sum(row.lag for row in behind),
        certain=all(row.age_s is not None for row in behind),
        behind=tuple(sorted(row.partition.number for row in behind)),
        circuits={row.partition.number: row.circuit for row in rows if row.circuit is not None},
    )


def key_expiry(client: KeyClient, now: datetime) -> Expiry | None:
    """Return the expiry of a client's key, or None if the key never expires or is revoked. Pure.

    Only the secret that expires last counts, since the old secret is meant to expire after a rotation.
    """
    if client.state(now) == "revoked":
        return None
    ends = [secret.expires for secret in client.secrets]
    last = None if None in ends else max(end for end in ends if end is not None)
    at = min((end for end in (client.expires, last) if end is not None), default=None)
    return None if at is None else Expiry("key", client.client_id, at, client.created, client.tenant)


def certificate_files(settings: Settings) -> dict[Path, bool]:
    """Return the certificate files named in the settings, and for each whether it contains this installation's own
    certificate.

    The other files are bundles of certificate authorities.
    """
    bundles = [settings.registry_ca, settings.clickhouse_ca, settings.oidc_ca]
    bundles.append(_path(settings.kafka_extra, "ssl.ca.location"))
    own = _path(settings.kafka_extra, "ssl.certificate.location")
    return {path: False for path in bundles if path} | ({own: True} if own else {})


def certificate(path: Path, own: bool) -> Expiry:
    """Read the expiry of the certificates in a file. Raises ConfigError if the file cannot be read.

    In the installation's own file, the first certificate counts, since the others only vouch for it. In a bundle of
    authorities, the last to expire counts, since others may be obsolete.
    """
    from cryptography import x509  # the import takes a tenth of a second, and most installations have no such file

    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read a certificate from {path}: {error}.") from error
    one = found[0] if own else max(found, key=lambda one: one.not_valid_after_utc)
    return Expiry("certificate", str(path), one.not_valid_after_utc, one.not_valid_before_utc)


def _path(extra: Mapping[str, Any], name: str) -> Path | None:
    value = extra.get(name)
    path = Path(value) if isinstance(value, str) else None
    return path if path and path.is_file() else None  # librdkafka also accepts folders and inline PEM
