"""A form in the body: the query and its parameters as fields, external tables as files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from auditlane.local.engine.errors import BAD_ARGUMENTS, CANNOT_READ_ALL_DATA, EngineError

LARGEST = 64 << 20
_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="([^"]*)"', re.IGNORECASE)
_FILE = re.compile(rb'[;\s]filename="', re.IGNORECASE)


@dataclass(slots=True)
class Form:
    """Fields by name, and the content of files by name."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class External:
    """A table that came with a query."""

    name: str
    structure: str
    format: str
    data: bytes


def boundary(content_type: str) -> bytes | None:
    """The boundary of a multipart form, None when the body is not one. Raises EngineError for one without."""
    if not content_type.lower().startswith("multipart/form-data"):
        return None
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise EngineError(BAD_ARGUMENTS, "The multipart form names no boundary")
    return (match[1] or match[2]).encode("latin-1", "replace")


def read(pieces: Iterable[bytes | memoryview], edge: bytes) -> Form:
    """Read a form of at most 64 MiB. Raises EngineError when it is larger or cut short."""
    body = bytearray()
    for piece in pieces:
        if len(body) <= LARGEST:
            body += piece
    if len(body) > LARGEST:
        raise EngineError(BAD_ARGUMENTS, f"A form may have {LARGEST} bytes here; insert the table instead")
    sections = (b"\r\n" + bytes(body)).split(b"\r\n--" + edge)
    if len(sections) < 2 or not sections[-1].startswith(b"--"):
        raise EngineError(CANNOT_READ_ALL_DATA, "The multipart form of the body is cut short")
    form = Form()
    for section in sections[1:-1]:
        head, _, content = section.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is None:
            raise EngineError(BAD_ARGUMENTS, "A part of the multipart form has no name")
        key = name[1].decode("utf-8", "replace")
        if _FILE.search(head):
            form.files[key] = content
        else:
            form.fields[key] = content.decode("utf-8", "surrogateescape")
    return form


def externals(form: Form, described: Mapping[str, str]) -> list[External]:
    """The tables among the files; `described` has their `<name>_structure`, `_types` and `_format`."""
    tables = []
    for name, data in form.files.items():
        structure = described.get(f"{name}_structure")
        types = described.get(f"{name}_types")
        if structure is None and types is not None:
            structure = ", ".join(f"_{number} {kind}" for number, kind in enumerate(types.split(","), 1))
        if structure is None:
            raise EngineError(BAD_ARGUMENTS, f"The external table {name} needs {name}_structure or {name}_types")
        tables.append(External(name, structure, described.get(f"{name}_format", "TabSeparated"), data))
    return tables
