"""Tables and reports of `auditlane dlq`. `to_json` and `view` build its JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditlane.cli.plural import number_of
from auditlane.contract.dead_letter import Letter
from auditlane.operations.dlq.index import Count
from auditlane.operations.dlq.replay import Report
from auditlane.operations.dlq.to_json import time_of

_WIDTH_WHEN_PIPED = 200
TABLE_ROWS = 200  # maximum number of rows, since a table is held in memory
_SHOWN = 20  # maximum number of dead letters listed that are still open after a replay
_HEX_BYTES = 256
_HEX_WIDTH = 16


def table(letters: Iterable[Letter], total: int, *, states: bool) -> None:
    """Print one row per dead letter. If some are not shown, print on stderr how many of `total` are."""
    shown = _table("Dead letter", "Received (UTC)", "Tenant", "Code", *(["State"] if states else []), "Reason")
    for letter in letters:
        state = [letter.state.value] if states else []
        shown.add_row(
            *_safe(letter.name, _short(letter.received_ms), letter.tenant or "", letter.code, *state, letter.reason)
        )
    _print(shown, "No open dead letters." if not states else "No dead letters.")
    if total > shown.row_count:
        print(f"{shown.row_count} of {total} dead letters; use --limit for more, --json for all.", file=sys.stderr)


def counts(counts: Sequence[Count], foreign: int, topic: str, *, states: bool) -> None:
    """Print one row per reject code and tenant, and the total."""
    shown = _table("Dead letters", "Code", "Tenant", *(["State"] if states else []), "First received", "Last received")
    for count in counts:
        state = [count.state.value] if states else []
        times = (_short(count.first_ms), _short(count.last_ms))
        shown.add_row(*_safe(str(count.letters), count.code, count.tenant or "", *state, *times))
    _print(shown, "No open dead letters." if not states else "No dead letters.")
    if counts:
        print(number_of(sum(count.letters for count in counts), "dead letter"))
    if foreign:
        print(f"{topic} also has {number_of(foreign, 'record')} not written by auditlane.", file=sys.stderr)


def detail(shown: dict[str, Any], value: bytes | None) -> None:
    """Print all details of a dead letter, and its bytes in hexadecimal if it could not be decoded completely."""
    lines = Table(box=None, show_header=False, pad_edge=False)
    lines.add_column(style="bold", no_wrap=True)
    lines.add_column(overflow="fold")
    for name in ("id", "state", "note", "tenant", "key", "code", "reason", "broken_field", "undecoded", "schema_id",
                 "received_at", "published_at", "topic_id", "position", "bytes",
                 "original_bytes", "sha256"):  # fmt: skip
        if shown[name] not in (None, ""):
            lines.add_row(*_safe(name.replace("_", " "), str(shown[name])))
    outcome = shown.get("replay")
    if outcome is not None and shown["state"] == "open":
        lines.add_row(
            *_safe("replay", f"{outcome['code']}: {outcome['reason']}" if outcome["code"] else "would be sent")
        )
    console = _console()
    console.print(lines)
    if shown["event"] is not None:
        console.print()
        for name, field_value in shown["event"].items():
            style = "bold red" if name == shown["broken_field"] else ""
            console.print(Text(_printable(f"  {name} = {json.dumps(field_value, ensure_ascii=False)}"), style))
    if shown["undecoded"] and value:
        console.print()
        for line in _hex(value):
            console.print(Text(line))


def report(result: Report, gone: int, *, dry_run: bool, as_json: bool) -> None:
    """Print the result of a replay, or of its dry run."""
    if as_json:
        remaining = [
            {"id": kept.found.letter.name, "code": str(kept.code), "reason": kept.reason} for kept in result.remaining
        ]
        counts: dict[str, Any] = {"stays": dict(result.stays), "dropped_fields": dict(result.dropped), "gone": gone}
        print(json.dumps({"dry_run": dry_run, "replayed": result.replayed} | counts | {"remaining": remaining}))
        return
    print(f"{number_of(result.replayed, 'dead letter')} {'would be replayed' if dry_run else 'replayed'}.")
    for name, count in result.dropped.most_common():
        lose = "would lose" if dry_run else "lost"
        print(_printable(f"{number_of(count, 'event')} {lose} {name}: the tenant's latest contract has no such field."))
    would = "would " if dry_run else ""
    for code, count in result.stays.most_common():
        stays = "stays" if count == 1 and not dry_run else "stay"
        print(f"{number_of(count, 'dead letter')} {would}{stays} open: {code}")
    for kept in result.remaining[:_SHOWN]:
        print(_printable(f"  {kept.found.letter.name}  {kept.code}: {kept.reason}"))
    if result.stays.total() > _SHOWN:
        print(f"  … and {result.stays.total() - _SHOWN} more")
    if gone:
        print(f"No longer in Kafka: {number_of(gone, 'dead letter')}.")


def _hex(value: bytes) -> Iterator[str]:
    for at in range(0, min(len(value), _HEX_BYTES), _HEX_WIDTH):
        row = value[at : at + _HEX_WIDTH]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"  {at:08x}  {row.hex(' '):<{_HEX_WIDTH * 3}} {text}"
    if len(value) > _HEX_BYTES:
        yield f"  … {len(value) - _HEX_BYTES} more bytes; use --json for all"


def _short(ms: int) -> str:
    return time_of(ms)[:19].replace("T", " ")


def _safe(*cells: str) -> list[Text]:
    return [Text(_printable(cell)) for cell in cells]


def _printable(text: str) -> str:
    """Replace control characters, so that a message's text cannot move the cursor or rewrite the screen."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _table(*columns: str) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold", no_wrap=column in ("Dead letter", "Received (UTC)", "Code"))
    return shown


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _WIDTH_WHEN_PIPED)


def _print(shown: Table, nothing: str) -> None:
    if shown.row_count:
        _console().print(shown)
    else:
        Console(stderr=True).print(nothing)
