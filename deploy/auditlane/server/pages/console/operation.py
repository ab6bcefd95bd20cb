"""The console's view of the operation: charts and a table of the measurements, and the newest operational events.

All data is prepared for one language before rendering.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from auditlane.contract.vocabulary import ACTIONS, MetadataKey
from auditlane.contract.vocabulary.labels import LABELS
from auditlane.observe.history import COMBINED, Columns
from auditlane.observe.timeline import OperationalEvent
from auditlane.server.pages.console import charts
from auditlane.server.pages.console.charts import Gap, Period
from auditlane.server.pages.i18n import N_, Catalogue

Unit = Literal["rate", "duration", "count"]
RANGES: Final = {"24h": timedelta(days=1), "7d": timedelta(days=7)}
DEFAULT: Final = "7d"
_NOTHING: Final = "–"


@dataclass(frozen=True, slots=True)
class Shown:
    """A chart's contents: columns of the history and their names. With `bars`, bars are drawn instead of lines."""

    name: str
    title: str
    unit: Unit
    columns: Mapping[str, str]
    bars: bool = False


CHARTS: Final = (
    Shown(
        "rate",
        N_("Events per second"),
        "rate",
        {"received_per_second": N_("arrived in Kafka"), "stored_per_second": N_("processed by workers")},
    ),
    Shown("age", N_("Lag"), "duration", {"lag_seconds": N_("oldest message not stored")}),
    Shown(
        "freshness",
        N_("From Kafka to the insert"),
        "duration",
        {"freshness_p50_s": N_("median"), "freshness_p99_s": N_("99th percentile")},
    ),
    Shown("rejected", N_("Rejected messages"), "count", {"dead_letters": N_("in this period")}, bars=True),
    Shown(
        "latency",
        N_("Latency, 99th percentile"),
        "duration",
        {"query_p99_s": N_("reads"), "ingest_p99_s": N_("acknowledged by Kafka")},
    ),
)


@dataclass(frozen=True, slots=True)
class Series:
    """A chart's line or its bars: a path and, as texts, the latest value (for bars, the sum) and the maximum."""

    name: str
    path: str
    latest: str
    highest: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a position on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, ready to be drawn. `missing` says for how long measurements are missing, or is empty."""

    name: str
    title: str
    series: list[Series]
    bars: bool
    ticks: list[Label]
    marks: list[Label]
    gaps: list[Gap]
    missing: str


@dataclass(frozen=True, slots=True)
class Table:
    """The charts' measurements in a table, one row per day or hour, newest first."""

    heads: list[str]
    rows: list[tuple[str, list[str]]]


@dataclass(frozen=True, slots=True)
class Measured:
    """A period's measurements. There are no charts if nothing was measured."""

    charts: list[Chart]
    table: Table


@dataclass(frozen=True, slots=True)
class Entry:
    """A timeline event, with its details as (name, value)."""

    at: str
    label: str
    outcome: str
    resource: str
    tenant: str
    details: list[tuple[str, str]]


# Labels for the metadata keys of operational events.
_DETAILS: Final = {
    "at": N_("on"),
    "cause": N_("cause"),
    "code": N_("code"),
    "codes": N_("codes"),
    "count": N_("messages"),
    "critical": N_("critical"),
    "events": N_("not stored"),
    "findings": N_("findings"),
    "instance": N_("process"),
    "left": N_("remaining"),
    "not_made": N_("checks not made"),
    "older_than": N_("older than"),
    "partitions": N_("partitions"),
    "previous": N_("previous version"),
    "processes": N_("processes"),
    "rows": N_("events"),
    "seconds": N_("delay"),
    "since": N_("since"),
    "spooled": N_("waiting on disk"),
    "target": N_("target"),
    "topic": N_("topic"),
    "total": N_("disk size"),
    "until": N_("until"),
    "version": N_("version"),
    "via": N_("sent over"),
}


def age(words: Catalogue, seconds: float | None) -> str:
    """Format an age in one unit, as in `0.4 s`, `5 min` or `2.1 d`."""
    if seconds is None:
        return ""
    units = ((86_400, N_("%(number)s d"), 1), (3_600, N_("%(number)s h"), 1), (60, N_("%(number)s min"), 0))
    size, unit, digits = next((one for one in units if seconds >= one[0]), (1, N_("%(number)s s"), int(seconds < 10)))
    return words.gettext(unit, number=words.number(seconds / size, digits))


def measured(words: Catalogue, columns: Columns, period: timedelta, *, now: datetime) -> Measured:
    """Return the charts and the table for a period that ends now."""
    drawn = Period(now - period, now, columns.step_s, columns.at)
    if not columns.at:
        return Measured([], Table([], []))
    return Measured([_chart(words, shown, columns, drawn) for shown in CHARTS], _table(words, columns, drawn))


def entries(words: Catalogue, events: Iterable[OperationalEvent]) -> list[Entry]:
    """Return the events as the timeline shows them."""
    return [_entry(words, event) for event in events]


def _chart(words: Catalogue, shown: Shown, columns: Columns, period: Period) -> Chart:
    every = [columns.values[name] for name in shown.columns]
    highest = charts.combined((charts.combined(values, "max") for values in every), "max")
    top = charts.top_of(highest or 0.0, seconds=shown.unit == "duration")
    draw = charts.bars if shown.bars else charts.line
    series = [
        Series(
            words.gettext(name),
            draw(period, values, top),
            _value(words, shown.unit, charts.combined(values, "sum") if shown.bars else charts.latest(values)),
            _value(words, shown.unit, charts.combined(values, "max")),
        )
        for name, values in zip(shown.columns.values(), every, strict=True)
    ]
    gaps = charts.gaps(period, every)
    clock = period.until - period.since <= RANGES["24h"]
    return Chart(
        shown.name,
        words.gettext(shown.title),
        series,
        shown.bars,
        [
            Label(tick.y, _value(words, shown.unit, tick.value))
            for tick in charts.ticks(top, whole=shown.unit == "count")
        ],
        [Label(period.x(at), f"{at:%H:%M}" if clock else words.day_of_year(at)) for at in charts.marks(period)],
        gaps,
        age(words, sum(gap.seconds for gap in gaps)) if gaps else "",
    )


def _table(words: Catalogue, columns: Columns, period: Period) -> Table:
    """Combine the steps of each day or, for a shorter period, of each hour."""
    by_hour = period.until - period.since <= RANGES["24h"]
    rows_of: dict[datetime, list[int]] = {}
    for row, at in enumerate(columns.at):
        begin = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        rows_of.setdefault(begin if by_hour else begin.replace(hour=0), []).append(row)
    heads, cells = [], []
    for shown in CHARTS:
        for column, name in shown.columns.items():
            heads.append(f"{words.gettext(shown.title)}: {words.gettext(name)}")
            cells.append((shown.unit, columns.values[column], COMBINED.get(column, "max")))
    table = []
    for begin, rows in sorted(rows_of.items(), reverse=True):
        text = words.day(begin.isoformat()) + (f" {begin:%H:%M}" if by_hour else "")
        of_rows = ((unit, charts.combined((values[row] for row in rows), how)) for unit, values, how in cells)
        table.append((text, [_value(words, unit, value) for unit, value in of_rows]))
    return Table(heads, table)


def _value(words: Catalogue, unit: Unit, value: float | None) -> str:
    """Format a measurement. A missing one becomes a dash, not zero."""
    if value is None:
        return _NOTHING
    if value == 0:
        return words.number(0)
    if unit == "duration":
        if value < 1:
            return words.gettext(N_("%(number)s ms"), number=words.number(value * 1_000, int(value < 0.01)))
        return age(words, value)
    return words.number(value, 0 if unit == "count" or value >= 100 else 1 if value >= 1 else 2)


def _entry(words: Catalogue, event: OperationalEvent) -> Entry:
    action, label = ACTIONS.get(event.action), LABELS.get(event.action)
    keys = {**action.required, **action.optional} if action else {}
    details = [
        (words.gettext(_DETAILS[name]) if name in _DETAILS else name, _detail(words, name, value, keys.get(name)))
        for name, value in event.metadata.items()
    ]
    return Entry(
        event.at.isoformat(),
        getattr(label, words.language) if label else event.action,
        event.outcome,
        event.resource_id or event.resource,
        event.tenant or "",
        details,
    )


def _detail(words: Catalogue, name: str, value: str, key: MetadataKey | None) -> str:
    """Format a metadata value according to its kind. If the kind has no format, the text is returned unchanged."""
    try:
        if key is not None and key.kind == "time":
            return words.moment(value)
        if key is not None and key.kind == "number":
            return age(words, float(value)) if name == "seconds" else words.number(float(value))
    except (ValueError, OverflowError):
        pass
    return value
