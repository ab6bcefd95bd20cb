"""Tests documents that are created in a child process, and all the ways in which that process can end."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import psutil
import pyarrow as pa
import pypdf
import pytest

from auditlane.query.clickhouse.cancellation import CancelScope
from auditlane.query.export.columns import Column
from auditlane.query.export.document_process import DocumentBounds, DocumentProcess
from auditlane.query.export.formats import Form, Format, Heading
from auditlane.runtime.errors import AuditlaneError, ConfigError, QueryTooLarge

FORM = Form(Format.pdf, (Column("action", "Action"), Column("actor_id", "Actor")))
HEADING = Heading("acme", 3, "2026-03-01 12:00 UTC", include_access=False)


def rows(count: int, text: str = "u-1") -> pa.RecordBatch:
    return pa.record_batch({"c0": ["login"] * count, "c1": [text] * count})


def words(document: bytes) -> str:
    return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(document)).pages)


def test_rows_are_drawn_and_the_process_ends():
    made = DocumentProcess(FORM, HEADING)
    assert made.begin() == made.add(rows(2)) == made.add(rows(1, "u-2")) == b""
    child = made._child
    assert child
    text = words(b"".join(made.end()))
    assert text.count("login") == 3
    assert "u-2" in text
    assert child.returncode == 0
    made.close()


def test_a_document_without_rows():
    made = DocumentProcess(FORM, HEADING)
    assert "Action" in words(b"".join(made.end()))
    DocumentProcess(FORM, HEADING).close()  # the process has never been started


@pytest.mark.parametrize(
    ("bounds", "message"),
    [(DocumentBounds(seconds=1), "time limit"), (DocumentBounds(memory_bytes=16 << 20), "memory limit")],
)
def test_a_pdf_beyond_its_time_or_memory_limit_is_aborted(bounds, message):
    made = DocumentProcess(FORM, HEADING, None, bounds)
    with pytest.raises(QueryTooLarge, match=message):
        for _ in range(200):
            made.add(rows(4_000, "é" * 900))
        b"".join(made.end())
    assert made._child
    assert made._child.returncode is not None


def test_an_invalid_font_is_reported(tmp_path: Path):
    font = tmp_path / "font.ttf"
    font.write_text("hello")
    made = DocumentProcess(FORM, HEADING, font)
    with pytest.raises(ConfigError, match="not an embeddable font"):
        b"".join(made.end())


def test_a_crashed_child_process_is_reported():
    made = DocumentProcess(FORM, HEADING)
    made.add(rows(1))
    assert made._child
    made._child.terminate()
    with pytest.raises(AuditlaneError, match="exited with"):
        b"".join(made.end())


def test_the_process_ends_when_its_request_is_cancelled():
    gone, failed = CancelScope(), []
    made = DocumentProcess(FORM, HEADING)
    with gone.active():
        made.add(rows(4_000, "é" * 900))
    assert made._child
    pid = made._child.pid

    def wait() -> None:
        try:
            b"".join(made.end())
        except AuditlaneError as error:
            failed.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    gone.cancel()
    waiting.join(60)
    assert not waiting.is_alive()
    assert failed
    assert not psutil.pid_exists(pid)
