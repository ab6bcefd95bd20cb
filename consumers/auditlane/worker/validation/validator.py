"""Validates a range of Kafka messages column by column. The result is rows to store and messages to reject.

The result depends only on the messages, their Kafka timestamps and the schemas, so validating a range again gives the
same result. Rules that may have changed since (who may write with a schema, how large an event may be) are not applied
to committed messages. A message that breaks several rules gets the first code in the order of `ORDER`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from auditlane.contract.reject_codes import RejectCode
from auditlane.contract.rules import sentence
from auditlane.contract.wire import HEADER_BYTES
from auditlane.runtime._pyarrow import pa, pc
from auditlane.runtime.lru_cache import LruCache
from auditlane.store.partitioning import Partitioning
from auditlane.worker.validation import checks, event_columns
from auditlane.worker.validation.batch import Indexes, RawRange, ValidationBatch, ValidationResult, framed
from auditlane.worker.validation.decoder import DecodedBatch, DecodedGroup, Decoder, read, without_malformed
from auditlane.worker.validation.isolation import isolated
from auditlane.worker.validation.schema_cache import KEPT_CHARACTERS, CachedSchema, SchemaCache

# TENANT_MISMATCH covers two checks: the key against a dedicated topic, which precedes the schema's checks, and the
# event's tenant_id against the key.
ORDER: Final = (
    RejectCode.NOT_FRAMED,
    RejectCode.TOO_LARGE,
    RejectCode.KEY_MISSING,
    RejectCode.TENANT_INVALID,
    RejectCode.SCHEMA_UNKNOWN,
    RejectCode.SCHEMA_NOT_TENANTS,
    RejectCode.AVRO_MALFORMED,
    RejectCode.TENANT_MISMATCH,
    RejectCode.EVENT_ID_INVALID,
    RejectCode.OCCURRED_AT_OUT_OF_RANGE,
    RejectCode.ACTION_EMPTY,
    RejectCode.IP_INVALID,
    RejectCode.SOURCE_RESERVED,
    RejectCode.FIELD_RULE,
)
UNKNOWN_IDS: Final = 32  # number of unknown schema ids per tenant and range after which lookups stop


class BatchValidator:
    """Validates ranges of the shared `topic` and of dedicated topics, `<topic>.<tenant>`. Thread-safe.

    `secrets` returns the secrets of the provenance keys by key id, and is called once per range. If there are no keys,
    messages count as unsigned. `partitioning` is that of the table in which the rows are to be stored.
    """

    def __init__(
        self,
        schemas: SchemaCache,
        *,
        topic: str,
        max_event_bytes: int,
        secrets: Callable[[], Mapping[str, bytes]] = dict,
        partitioning: Partitioning = Partitioning.MONTH,
    ) -> None:
        self._secrets = secrets
        self._partitioning = partitioning
        self._schemas = schemas
        self._topic = topic
        self._max_event_bytes = max_event_bytes
        self._decoders: LruCache[int, Decoder] = LruCache(KEPT_CHARACTERS, weight=lambda decoder: decoder.size)

    def validate(self, raw: RawRange, *, ingested_at_ms: int, already_committed: int = 0) -> ValidationResult:
        """Decide whether each message becomes a row or a rejection.

        Offsets below `already_committed` were completed by the workers without a dead letter, so they were valid under
        the rules in force at the time. Messages that make validation itself fail are rejected as NOT_JUDGED, without
        affecting the others. Raises RegistryUnavailable, in which case the range has to be validated again later.
        """
        return isolated(
            raw, lambda part: self._validated(part, ingested_at_ms=ingested_at_ms, already_committed=already_committed)
        )

    def _validated(self, raw: RawRange, *, ingested_at_ms: int, already_committed: int) -> ValidationResult:
        raw, nameless = framed(raw, self._schemas.id_of)
        batch = ValidationBatch.open(raw, already_committed, self._secrets())
        batch.nameless = nameless
        self._check_frames(batch)
        self._check_tenants(batch)
        decoded = self._decode(batch)
        self._check_events(batch, decoded)
        keep = ~batch.refused[decoded.rows]
        if not keep.all():
            decoded = decoded.only(keep)
        table = event_columns.event_rows(
            decoded,
            topic=raw.topic,
            topic_id=raw.topic_id,
            partition=raw.partition,
            offsets=np.asarray(raw.offsets, dtype=np.int64),
            timestamps_ms=batch.timestamps_ms,
            ingested_at_ms=ingested_at_ms,
            vouched=batch.vouched,
            standing=self._standing(batch, decoded),
        )
        rejected = [batch.rejected[index] for index in sorted(batch.rejected)]
        return ValidationResult(event_columns.by_period(table, self._partitioning), rejected, batch.by_tenant())

    def _standing(self, batch: ValidationBatch, decoded: DecodedBatch) -> event_columns.Standing:
        """Return the rows in which the default of a field means "not set", for each group and field."""
        found: list[dict[str, checks.Mask]] = []
        for group in decoded.groups:
            fields = [field for field in group.decoder.own if field.default is not None]
            codes = batch.key_codes[decoded.rows[group.span]]
            stands = {field.name: np.zeros(len(batch.tenants), dtype=bool) for field in fields}
            for code in np.unique(codes).tolist() if fields else ():
                for name in self._schemas.standing(group.schema_id, batch.tenants[code] or "", fields):
                    stands[name][code] = True
            found.append({name: which[codes] for name, which in stands.items()})
        return found

    def _check_frames(self, batch: ValidationBatch) -> None:
        batch.refuse(RejectCode.NOT_FRAMED, np.flatnonzero(~batch.framed), _always(RejectCode.NOT_FRAMED.meaning))
        sizes = batch.lengths - HEADER_BYTES
        batch.refuse(
            RejectCode.TOO_LARGE,
            np.flatnonzero((sizes > self._max_event_bytes) & ~batch.already_committed),
            lambda index: f"The event has {sizes[index]} bytes; at most {self._max_event_bytes} are allowed.",
        )

    def _check_tenants(self, batch: ValidationBatch) -> None:
        tenants = batch.tenants
        dedicated = batch.raw.topic.removeprefix(f"{self._topic}.") if batch.raw.topic != self._topic else None
        if dedicated == batch.raw.topic:
            dedicated = None  # a topic with another name, such as a copy for a replay, is not dedicated to a tenant
        missing = np.array([key is None or key == b"" for key in batch.unique_keys], dtype=bool)
        invalid = np.array([tenant is None for tenant in tenants], dtype=bool) & ~missing
        batch.refuse(RejectCode.KEY_MISSING, batch.with_keys(missing), _always(RejectCode.KEY_MISSING.meaning))
        batch.refuse(
            RejectCode.TENANT_INVALID,
            batch.with_keys(invalid),
            lambda index: f"The message key {batch.key(index)!r} is not a tenant id.",
        )
        if dedicated is not None:
            others = np.array([tenant != dedicated for tenant in tenants], dtype=bool)
            batch.refuse(
                RejectCode.TENANT_MISMATCH,
                batch.with_keys(others),
                lambda index: (
                    f"The topic is dedicated to {dedicated!r}, but the message key is {batch.tenant(index)!r}."
                ),
            )

    def _decode(self, batch: ValidationBatch) -> DecodedBatch:
        """Decode the messages that are events of their schema, reject the others, and record the rules that the events
        violate.
        """
        decoded_groups: list[DecodedGroup] = []
        unknown: Counter[str] = Counter()
        for schema_id, members in _groups(batch.schema_ids, np.flatnonzero(~batch.refused)):
            known = self._known(batch, schema_id, members, unknown)
            if known is None:
                batch.refuse(RejectCode.SCHEMA_UNKNOWN, members, _unknown(schema_id, batch.nameless))
                continue
            members = self._admit(batch, known, members)
            if len(members) and known.contract is not None:
                decoded_groups.append(read(batch, schema_id, self._decoder(known), members))
        decoded = DecodedBatch.of(decoded_groups)
        del decoded_groups  # these groups are as large as the joined batch
        decoded = without_malformed(batch, decoded)
        for group in decoded.groups:
            ruled = decoded.columns(group, group.decoder.ruled)
            for row, (broken, rule) in checks.broken_rules(ruled).items():
                what = "must be a time in the years 0 to 9999" if rule == "time" else sentence(broken.rules, rule)
                batch.broken[int(decoded.rows[group.span][row])] = f"{broken.name} {what}."
        return decoded

    def _known(
        self, batch: ValidationBatch, schema_id: int, members: Indexes, unknown: Counter[str]
    ) -> CachedSchema | None:
        """Return the schema of these messages, or None if it is unknown.

        After many unknown ids, lookups for a tenant stop, so that the tenant does not delay others.
        """
        if self._schemas.learnt(schema_id):
            return self._schemas.known(schema_id)
        tenants = {batch.tenants[code] or "" for code in np.unique(batch.key_codes[members]).tolist()}
        if all(unknown[tenant] >= UNKNOWN_IDS for tenant in tenants):
            return None
        known = self._schemas.known(schema_id, tenants)
        if known is None:
            unknown.update(tenants)
        return known

    def _admit(self, batch: ValidationBatch, known: CachedSchema, members: Indexes) -> Indexes:
        """Return the members whose tenant may write with the schema, and reject the others."""
        codes = batch.key_codes[members]
        used = np.unique(codes).tolist()
        if known.contract is None:
            why, admitted = known.problem, frozenset[str]()
        else:
            why = f"Schema {known.schema_id} is neither the tenant's own nor, for this tenant, the base event's."
            admitted = self._schemas.tenants_allowed(known.schema_id, {batch.tenants[code] or "" for code in used})
        may = np.zeros(len(batch.tenants), dtype=bool)
        may[[code for code in used if batch.tenants[code] in admitted]] = True
        passes = may[codes]
        if known.contract is not None and not passes.all():
            passes |= batch.already_committed[members] | self._from_gateway(batch, known, members)
        batch.refuse(RejectCode.SCHEMA_NOT_TENANTS, members[~passes], _always(why))
        return members[passes]

    def _from_gateway(self, batch: ValidationBatch, known: CachedSchema, members: Indexes) -> checks.Mask:
        """Return a mask of base events from the gateway that are accepted regardless of the tenant's contract.

        These are events of auditlane's own trail, and events that a gateway accepted before it learned that the
        contract is exclusive.
        """
        signed = batch.vouched.codes[members] > 0
        return signed & self._schemas.is_base(known.schema_id) if signed.any() else signed

    def _decoder(self, known: CachedSchema) -> Decoder:
        decoder = self._decoders.get(known.schema_id)
        if decoder is None:
            assert known.contract is not None
            decoder = Decoder(known.contract)
            self._decoders.put(known.schema_id, decoder)
        return decoder

    def _check_events(self, batch: ValidationBatch, decoded: DecodedBatch) -> None:
        base, rows = decoded.base, decoded.rows
        tenants = pa.array(batch.tenants, pa.string()).take(pa.array(batch.key_codes[rows]))
        occurred = base.column("occurred_at").to_numpy()

        @cache
        def order() -> Indexes:
            return np.argsort(rows)

        def at(index: int) -> int:
            return int(order()[np.searchsorted(rows, index, sorter=order())])

        def text(name: str) -> Callable[[int], str]:
            return lambda index: repr(base.column(name)[at(index)].as_py()[:120])

        failing: tuple[tuple[RejectCode, checks.Mask, Callable[[int], str]], ...] = (
            (
                RejectCode.TENANT_MISMATCH,
                checks.mask(pc.not_equal(base.column("tenant_id"), tenants)),
                lambda index: (
                    f"tenant_id is {text('tenant_id')(index)}, but the message key is {batch.tenant(index)!r}."
                ),
            ),
            (
                RejectCode.EVENT_ID_INVALID,
                checks.bad_event_ids(base.column("event_id")),
                lambda index: f"event_id {text('event_id')(index)} is not a UUID.",
            ),
            (
                RejectCode.OCCURRED_AT_OUT_OF_RANGE,
                checks.bad_times(occurred, batch.timestamps_ms[rows]),
                lambda index: (
                    f"occurred_at is {_time(occurred[at(index)] // 1_000_000)}, the message's Kafka timestamp "
                    f"{_time(batch.timestamps_ms[index] // 1_000)}: more than a day after it, or ten years before."
                ),
            ),
            (
                RejectCode.ACTION_EMPTY,
                checks.mask(pc.equal(base.column("action"), "")),
                _always(RejectCode.ACTION_EMPTY.meaning),
            ),
            (
                RejectCode.IP_INVALID,
                checks.bad_ips(base.column("ip")),
                lambda index: f"ip {text('ip')(index)} is neither empty nor an IPv4 or IPv6 address.",
            ),
            (
                RejectCode.SOURCE_RESERVED,
                checks.reserved_sources(base.column("source"))
                & ~batch.vouched.trail[rows]
                & ~batch.already_committed[rows],
                lambda index: (
                    f"source {text('source')(index)} is reserved, and the message lacks auditlane's signature."
                ),
            ),
        )
        for code, bad, why in failing:
            if bad.any():
                batch.refuse(code, rows[bad], why)
        broken = np.array(sorted(batch.broken), dtype=np.int64)
        batch.refuse(RejectCode.FIELD_RULE, broken[~batch.vouched.trail[broken]], batch.broken.__getitem__)


def _time(seconds: int) -> str:
    """Format seconds since 1970 as RFC 3339, including years that Python's calendar does not support."""
    return f"{np.datetime64(int(seconds), 's')}Z"


def _unknown(schema_id: int, nameless: Mapping[int, UUID]) -> Callable[[int], str]:
    return lambda index: (
        f"The registry has no schema with the GUID {nameless[index]}."
        if index in nameless
        else f"The registry has no schema with the id {schema_id}."
    )


def _always(text: str) -> Callable[[int], str]:
    return lambda _: text


def _groups(schema_ids: npt.NDArray[np.uint32], members: Indexes) -> Iterator[tuple[int, Indexes]]:
    """Yield each schema id, in ascending order, with the indexes of the messages that use it."""
    ids = schema_ids[members]
    if len(ids) == 0:
        return
    if (ids == ids[0]).all():
        yield int(ids[0]), members
        return
    order = np.argsort(ids, kind="stable")
    starts = np.flatnonzero(np.diff(ids[order])) + 1
    for group in np.split(members[order], starts):
        yield int(schema_ids[group[0]]), group
