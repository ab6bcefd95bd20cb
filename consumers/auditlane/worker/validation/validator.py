"""One range of Kafka messages into rows to store and messages to refuse, decided on columns.

A verdict follows from the messages, their Kafka timestamps and the schemas: judging again decides alike. What may have
changed since, who may write with a schema and how large an event may be, is not asked of messages that are settled. A
message that breaks several rules gets the first code in the order of `ORDER`.
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
from auditlane.runtime.lru_cache import Kept
from auditlane.worker.validation import checks, event_columns
from auditlane.worker.validation.batch import Case, Indexes, RawRange, Verdict
from auditlane.worker.validation.decoder import Decoded, Decoder, Read, read
from auditlane.worker.validation.isolation import isolated
from auditlane.worker.validation.schema_cache import KEPT_CHARACTERS, Known, SchemaBook
from auditlane.worker.validation.schema_guids import framed
from auditlane.worker.validation.suspect_rows import without_malformed

# TENANT_MISMATCH stands for two checks: the key against a dedicated topic (before the schema is looked at), and the
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
UNKNOWN_IDS: Final = (
    32  # schema ids of one tenant and range that the registry does not know; further ones are not asked
)


class Judge:
    """`topic` is the shared topic; `<topic>.<tenant>` are dedicated ones. Usable from several threads.

    `secrets` gives those of the provenance keys, by key id, once a range. Without one nobody vouches for a message.
    """

    def __init__(
        self,
        schemas: SchemaBook,
        *,
        topic: str,
        max_event_bytes: int,
        secrets: Callable[[], Mapping[str, bytes]] = dict,
    ) -> None:
        self._secrets = secrets
        self._schemas = schemas
        self._topic = topic
        self._max_event_bytes = max_event_bytes
        self._decoders: Kept[int, Decoder] = Kept(KEPT_CHARACTERS, weight=lambda decoder: decoder.size)

    def judge(self, raw: RawRange, *, ingested_at_ms: int, settled: int = 0) -> Verdict:
        """Raises RegistryUnavailable where schemas cannot be asked for; the range is to be judged again later.

        Offsets below `settled` are past the workers and have no dead letter: the rules of then have let them pass.
        Messages by which judging itself fails are refused as NOT_JUDGED; the others are judged without them.
        """
        return isolated(raw, lambda part: self._judged(part, ingested_at_ms=ingested_at_ms, settled=settled))

    def _judged(self, raw: RawRange, *, ingested_at_ms: int, settled: int) -> Verdict:
        raw, nameless = framed(raw, self._schemas.id_of)
        case = Case.open(raw, settled, self._secrets())
        case.nameless = nameless
        self._check_frames(case)
        self._check_tenants(case)
        decoded = self._decode(case)
        self._check_events(case, decoded)
        keep = ~case.refused[decoded.rows]
        if not keep.all():
            decoded = decoded.only(keep)
        table = event_columns.event_rows(
            decoded,
            topic=raw.topic,
            topic_id=raw.topic_id,
            partition=raw.partition,
            offsets=np.asarray(raw.offsets, dtype=np.int64),
            timestamps_ms=case.timestamps_ms,
            ingested_at_ms=ingested_at_ms,
            vouched=case.vouched,
            standing=self._standing(case, decoded),
        )
        rejected = [case.rejected[index] for index in sorted(case.rejected)]
        return Verdict(event_columns.by_month(table), rejected, case.by_tenant())

    def _standing(self, case: Case, decoded: Decoded) -> event_columns.Standing:
        """For each group, by field: the rows in which its default stands for a value that was not set."""
        found: list[dict[str, checks.Mask]] = []
        for group in decoded.groups:
            fields = [one for one in group.decoder.own if one.default is not None]
            codes = case.key_codes[decoded.rows[group.span]]
            stands = {one.name: np.zeros(len(case.tenants), dtype=bool) for one in fields}
            for code in np.unique(codes).tolist() if fields else ():
                for name in self._schemas.standing(group.schema_id, case.tenants[code] or "", fields):
                    stands[name][code] = True
            found.append({name: which[codes] for name, which in stands.items()})
        return found

    def _check_frames(self, case: Case) -> None:
        case.refuse(RejectCode.NOT_FRAMED, np.flatnonzero(~case.framed), _always(RejectCode.NOT_FRAMED.meaning))
        sizes = case.lengths - HEADER_BYTES
        case.refuse(
            RejectCode.TOO_LARGE,
            np.flatnonzero((sizes > self._max_event_bytes) & ~case.settled),
            lambda index: f"The event has {sizes[index]} bytes; at most {self._max_event_bytes} are allowed.",
        )

    def _check_tenants(self, case: Case) -> None:
        tenants = case.tenants
        dedicated = case.raw.topic.removeprefix(f"{self._topic}.") if case.raw.topic != self._topic else None
        if dedicated == case.raw.topic:
            dedicated = None  # a topic of another name, as a copy for a replay has, is nobody's own
        missing = np.array([key is None or key == b"" for key in case.unique_keys], dtype=bool)
        invalid = np.array([tenant is None for tenant in tenants], dtype=bool) & ~missing
        case.refuse(RejectCode.KEY_MISSING, case.with_keys(missing), _always(RejectCode.KEY_MISSING.meaning))
        case.refuse(
            RejectCode.TENANT_INVALID,
            case.with_keys(invalid),
            lambda index: f"The message key {case.key(index)!r} is no tenant id.",
        )
        if dedicated is not None:
            strange = np.array([tenant != dedicated for tenant in tenants], dtype=bool)
            case.refuse(
                RejectCode.TENANT_MISMATCH,
                case.with_keys(strange),
                lambda index: f"The topic is for {dedicated!r}, the message key says {case.tenant(index)!r}.",
            )

    def _decode(self, case: Case) -> Decoded:
        """The messages that are events of their schema; refuses the others, and notes the rules that events break."""
        reads: list[Read] = []
        unknown: Counter[str] = Counter()
        for schema_id, members in _groups(case.schema_ids, np.flatnonzero(~case.refused)):
            known = self._known(case, schema_id, members, unknown)
            if known is None:
                case.refuse(RejectCode.SCHEMA_UNKNOWN, members, _unknown(schema_id, case.nameless))
                continue
            members = self._admit(case, known, members)
            if len(members) and known.contract is not None:
                reads.append(read(case, schema_id, self._decoder(known), members))
        decoded = Decoded.of(reads)
        del reads  # as large as what was made of them
        decoded = without_malformed(case, decoded)
        for group in decoded.groups:
            ruled = decoded.columns(group, group.decoder.ruled)
            for row, (broken, rule) in checks.broken_rules(ruled).items():
                what = "must be a time of the years 0 to 9999" if rule == "time" else sentence(broken.rules, rule)
                case.broken[int(decoded.rows[group.span][row])] = f"{broken.name} {what}."
        return decoded

    def _known(self, case: Case, schema_id: int, members: Indexes, unknown: Counter[str]) -> Known | None:
        """The schema of these messages. A tenant that names many unknown ones keeps nobody waiting for answers."""
        if self._schemas.learnt(schema_id):
            return self._schemas.known(schema_id)
        tenants = {case.tenants[code] or "" for code in np.unique(case.key_codes[members]).tolist()}
        if all(unknown[tenant] >= UNKNOWN_IDS for tenant in tenants):
            return None
        known = self._schemas.known(schema_id, tenants)
        if known is None:
            unknown.update(tenants)
        return known

    def _admit(self, case: Case, known: Known, members: Indexes) -> Indexes:
        """The members whose tenant may write with the schema; refuses the others."""
        codes = case.key_codes[members]
        used = np.unique(codes).tolist()
        if known.contract is None:
            why, admitted = known.problem, frozenset[str]()
        else:
            why = f"Schema {known.schema_id} is neither the tenant's own nor, for this tenant, the base event's."
            admitted = self._schemas.admissible(known.schema_id, {case.tenants[code] or "" for code in used})
        may = np.zeros(len(case.tenants), dtype=bool)
        may[[code for code in used if case.tenants[code] in admitted]] = True
        passes = may[codes]
        if known.contract is not None and not passes.all():
            passes |= case.settled[members] | self._of_the_gateway(case, known, members)
        case.refuse(RejectCode.SCHEMA_NOT_TENANTS, members[~passes], _always(why))
        return members[passes]

    def _of_the_gateway(self, case: Case, known: Known, members: Indexes) -> checks.Mask:
        """The gateway's base events, whatever the tenant's contract demands: our own trail, and what a process took and
        answered for that had not heard yet that the contract is exclusive."""
        signed = case.vouched.codes[members] > 0
        return signed & self._schemas.is_base(known.schema_id) if signed.any() else signed

    def _decoder(self, known: Known) -> Decoder:
        decoder = self._decoders.get(known.schema_id)
        if decoder is None:
            assert known.contract is not None
            decoder = Decoder(known.contract)
            self._decoders.put(known.schema_id, decoder)
        return decoder

    def _check_events(self, case: Case, decoded: Decoded) -> None:
        base, rows = decoded.base, decoded.rows
        tenants = pa.array(case.tenants, pa.string()).take(pa.array(case.key_codes[rows]))
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
                lambda index: f"tenant_id is {text('tenant_id')(index)}, the message key says {case.tenant(index)!r}.",
            ),
            (
                RejectCode.EVENT_ID_INVALID,
                checks.bad_event_ids(base.column("event_id")),
                lambda index: f"event_id {text('event_id')(index)} is not a UUID.",
            ),
            (
                RejectCode.OCCURRED_AT_OUT_OF_RANGE,
                checks.bad_times(occurred, case.timestamps_ms[rows]),
                lambda index: (
                    f"occurred_at is {_time(occurred[at(index)] // 1_000_000)}, the message's Kafka timestamp "
                    f"{_time(case.timestamps_ms[index] // 1_000)}: more than a day after it, or ten years before it."
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
                checks.reserved_sources(base.column("source")) & ~case.vouched.trail[rows] & ~case.settled[rows],
                lambda index: f"source {text('source')(index)} is auditlane's own, and its signature is not.",
            ),
        )
        for code, bad, why in failing:
            if bad.any():
                case.refuse(code, rows[bad], why)
        broken = np.array(sorted(case.broken), dtype=np.int64)
        case.refuse(RejectCode.FIELD_RULE, broken[~case.vouched.trail[broken]], case.broken.__getitem__)


def _time(seconds: int) -> str:
    """RFC 3339 of seconds since 1970, also in years that Python's calendar lacks."""
    return f"{np.datetime64(int(seconds), 's')}Z"


def _unknown(schema_id: int, nameless: Mapping[int, UUID]) -> Callable[[int], str]:
    return lambda index: (
        f"The registry knows no schema with the GUID {nameless[index]}."
        if index in nameless
        else f"The registry knows no schema {schema_id}."
    )


def _always(text: str) -> Callable[[int], str]:
    return lambda _: text


def _groups(schema_ids: npt.NDArray[np.uint32], members: Indexes) -> Iterator[tuple[int, Indexes]]:
    """(schema id, the members with it, ascending)."""
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
