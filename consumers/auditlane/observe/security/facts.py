"""The facts that the checks examine. Each is gathered only once, when a check first needs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from auditlane.observe.security import certificates, clickhouse_facts, disks, files, keys, listeners
from auditlane.observe.security.clickhouse import Access, Tables
from auditlane.observe.security.clickhouse_facts import StoreFacts
from auditlane.observe.security.disks import Disk
from auditlane.observe.security.files import FileState
from auditlane.observe.security.findings import Gap
from auditlane.observe.security.kafka import Acl
from auditlane.observe.security.kafka_facts import Cluster, KafkaFacts
from auditlane.observe.security.keys import KeyFacts
from auditlane.observe.security.listeners import Listener
from auditlane.observe.security.privileges import Privilege
from auditlane.observe.security.transport import Certificate
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.files import own_groups
from auditlane.runtime.settings import Settings

T = TypeVar("T")


class Once(Generic[T]):
    """Calls `gather` once and returns or raises the same outcome each time. An unreachable component therefore causes
    only one delay.
    """

    def __init__(self, gather: Callable[[], T]) -> None:
        self._gather = gather
        self._outcome: tuple[T] | AuditlaneError | None = None

    @property
    def value(self) -> T | None:
        """The result, or None until the facts have been gathered."""
        return self._outcome[0] if isinstance(self._outcome, tuple) else None

    def __call__(self) -> T:
        if self._outcome is None:
            try:
                self._outcome = (self._gather(),)
            except AuditlaneError as error:
                self._outcome = error
        if isinstance(self._outcome, AuditlaneError):
            raise self._outcome
        return self._outcome[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The settings, the time, and functions that gather facts. Each function raises the errors of the component it
    queries.

    `role` is the role of the ClickHouse account in the settings (`store.roles`). `user` is the user id of this process,
    and `user_groups` are the ids of the user's groups.
    """

    settings: Settings
    now: datetime
    role: str
    user: int
    user_groups: frozenset[int]
    listeners: Callable[[], Sequence[Listener | Gap]]
    files: Callable[[], Sequence[FileState | Gap]]
    keys: Callable[[], tuple[KeyFacts, list[Gap]]]
    certificates: Callable[[], Sequence[Certificate | Gap]]
    local_disks: Callable[[], Sequence[Disk]]
    broker: Callable[[], Mapping[str, str]]
    acls: Callable[[], list[Acl] | None]
    cluster: Callable[[], Cluster]
    default_user_is_open: Callable[[], bool]
    groups: Callable[[], dict[str, str]]
    own_grants: Callable[[], list[Privilege]]
    access: Callable[[], Access]
    tables: Callable[[], Tables]
    store_disks: Callable[[], Sequence[Disk]]


@contextmanager
def gathered(settings: Settings, *, now: datetime, role: str) -> Iterator[Facts]:
    """Yield the facts of an installation, and close the connections at the end."""
    kafka = Once(lambda: KafkaFacts(settings))
    store = Once(lambda: StoreFacts(settings))
    facts = Facts(
        settings=settings,
        now=now,
        role=role,
        user=os.getuid(),
        user_groups=own_groups(),
        listeners=lambda: [*listeners.configured(settings), *listeners.running()],
        files=lambda: list(files.gather(settings)),
        keys=partial(keys.gather, settings),
        certificates=partial(certificates.gather, settings),
        local_disks=partial(disks.local, settings),
        broker=Once(lambda: kafka().broker()),
        acls=Once(lambda: kafka().acls()),
        cluster=Once(lambda: kafka().cluster()),
        # The connection comes first, since it reports a missing or unreachable ClickHouse in detail.
        default_user_is_open=lambda: bool(store()) and clickhouse_facts.default_user_is_open(settings),
        groups=Once(lambda: store().groups()),
        own_grants=Once(lambda: store().own_grants()),
        access=Once(lambda: store().access()),
        tables=Once(lambda: store().tables()),
        store_disks=Once(lambda: store().disks()),
    )
    try:
        yield facts
    finally:
        if store.value is not None:
            store.value.close()
