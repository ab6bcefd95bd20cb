"""The registry's SQLite tables: schemas by id, versions by subject, and settings. Commits are durable on return."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

# AUTOINCREMENT, so that an id is never reused, even after its schema was permanently deleted.
_TABLES = """
CREATE TABLE IF NOT EXISTS schemas (
  id INTEGER PRIMARY KEY AUTOINCREMENT, fingerprint BLOB NOT NULL, text TEXT NOT NULL, refs TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS schemas_by_fingerprint ON schemas (fingerprint);
CREATE TABLE IF NOT EXISTS versions (
  subject TEXT NOT NULL, version INTEGER NOT NULL, schema_id INTEGER NOT NULL REFERENCES schemas (id),
  deleted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (subject, version)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS versions_by_schema ON versions (schema_id);
CREATE TABLE IF NOT EXISTS refs (
  schema_id INTEGER NOT NULL REFERENCES schemas (id), subject TEXT NOT NULL, version INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS refs_by_target ON refs (subject, version);
CREATE TABLE IF NOT EXISTS settings (
  subject TEXT PRIMARY KEY, level TEXT, normalize INTEGER, mode TEXT
);
"""
GLOBAL = ""  # the subject that stores the default settings
LAYOUT = 1


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to another schema: a name, and the subject and version under which the schema is registered."""

    name: str
    subject: str
    version: int

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "subject": self.subject, "version": self.version}


@dataclass(frozen=True, slots=True)
class StoredSchema:
    """A schema's canonical text with its references."""

    schema_id: int
    text: str
    references: tuple[Reference, ...]

    @property
    def guid(self) -> UUID:
        """The schema's GUID, derived from the text and the references, so that it is the same in every such
        registry.
        """
        return UUID(bytes=_fingerprint(self.text, self.references)[:16])


@dataclass(frozen=True, slots=True)
class Version:
    """A schema registered under a subject."""

    subject: str
    version: int
    schema: StoredSchema
    deleted: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """A subject's settings, or the global ones. None means not set."""

    level: str | None = None
    normalize: bool | None = None
    mode: str | None = None


class Store:
    """The registry's whole state. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA foreign_keys=ON")
        layout = self._db.execute("PRAGMA user_version").fetchone()[0]
        if layout > LAYOUT:
            self._db.close()
            raise sqlite3.DatabaseError(f"{path} was written by a newer version (layout {layout})")
        self._db.executescript(_TABLES)
        self._db.execute(f"PRAGMA user_version={LAYOUT}")

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block in one transaction, which is durable on exit and rolled back on an exception."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def schema(self, schema_id: int) -> StoredSchema | None:
        row = self._db.execute("SELECT id, text, refs FROM schemas WHERE id = ?", (schema_id,)).fetchone()
        return _stored(*row) if row else None

    def find(self, text: str, references: tuple[Reference, ...]) -> list[StoredSchema]:
        """Return the schemas with exactly this text. There are several only if an import set their ids."""
        rows = self._db.execute(
            "SELECT id, text, refs FROM schemas WHERE fingerprint = ? ORDER BY id", (_fingerprint(text, references),)
        )
        return [_stored(*row) for row in rows]

    def with_guid(self, guid: UUID) -> list[StoredSchema]:
        """Return the schemas with this GUID, in order of id. There are several only if an import set their ids."""
        rows = self._db.execute(
            "SELECT id, text, refs FROM schemas WHERE fingerprint BETWEEN ? AND ? ORDER BY id",
            (guid.bytes + bytes(16), guid.bytes + b"\xff" * 16),
        )
        return [_stored(*row) for row in rows]

    def add(self, text: str, references: tuple[Reference, ...], schema_id: int | None = None) -> StoredSchema:
        """Add a schema, with the next id unless one is given."""
        refs = json.dumps([reference.as_json() for reference in references])
        cursor = self._db.execute(
            "INSERT INTO schemas (id, fingerprint, text, refs) VALUES (?, ?, ?, ?)",
            (schema_id, _fingerprint(text, references), text, refs),
        )
        added = cursor.lastrowid
        assert added is not None
        targets = {(reference.subject, reference.version) for reference in references}
        self._db.executemany("INSERT INTO refs VALUES (?, ?, ?)", [(added, *target) for target in targets])
        return StoredSchema(added, text, references)

    def max_id(self) -> int:
        row = self._db.execute("SELECT max(id) FROM schemas").fetchone()
        return int(row[0] or 0)

    def subjects(self, prefix: str, *, live: bool = True, deleted: bool = False) -> list[str]:
        """Return subjects in order of name. `live` subjects have a version that is not deleted; `deleted` subjects have
        none.
        """
        rows = self._db.execute(
            "SELECT subject, min(deleted) FROM versions WHERE substr(subject, 1, length(:prefix)) = :prefix "
            "GROUP BY subject ORDER BY subject",
            {"prefix": prefix},
        )
        return [subject for subject, all_deleted in rows if (deleted if all_deleted else live)]

    def has_subject(self, subject: str, *, deleted: bool) -> bool:
        query = "SELECT 1 FROM versions WHERE subject = ? AND deleted <= ? LIMIT 1"
        return self._db.execute(query, (subject, deleted)).fetchone() is not None

    def versions(self, subject: str) -> list[Version]:
        """Return the subject's versions in ascending order, including deleted ones."""
        return self._versions("WHERE v.subject = ?", subject)

    def version(self, subject: str, version: int) -> Version | None:
        """Return one version, possibly a deleted one, or None if it does not exist."""
        found = self._versions("WHERE v.subject = ?1 AND v.version = ?2", subject, version)
        return found[0] if found else None

    def versions_of(self, schema_id: int) -> list[Version]:
        """Return the versions that contain the schema, in order of subject, including deleted ones."""
        return self._versions("WHERE v.schema_id = ?", schema_id)

    def all_versions(self, prefix: str = "") -> list[Version]:
        """Return every version of every subject with this prefix, including deleted ones."""
        return self._versions("WHERE substr(v.subject, 1, length(?1)) = ?1", prefix)

    def _versions(self, where: str, *values: str | int) -> list[Version]:
        rows = self._db.execute(
            "SELECT v.subject, v.version, v.deleted, s.id, s.text, s.refs "  # noqa: S608 - `where` is one of the above
            f"FROM versions v JOIN schemas s ON s.id = v.schema_id {where} ORDER BY v.subject, v.version",
            values,
        )
        return [Version(name, number, _stored(*rest), bool(deleted)) for name, number, deleted, *rest in rows]

    def put_version(self, subject: str, version: int, schema_id: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO versions VALUES (?, ?, ?, 0)", (subject, version, schema_id))

    def mark_deleted(self, subject: str, version: int) -> None:
        self._db.execute("UPDATE versions SET deleted = 1 WHERE subject = ? AND version = ?", (subject, version))

    def drop_version(self, subject: str, version: int) -> None:
        """Delete a version permanently, and its schema unless another version contains it."""
        gone = self._db.execute(
            "DELETE FROM versions WHERE subject = ? AND version = ? RETURNING schema_id", (subject, version)
        ).fetchall()
        for (schema_id,) in gone:
            used = self._db.execute("SELECT 1 FROM versions WHERE schema_id = ? LIMIT 1", (schema_id,)).fetchone()
            if not used:
                self._db.execute("DELETE FROM refs WHERE schema_id = ?", (schema_id,))
                self._db.execute("DELETE FROM schemas WHERE id = ?", (schema_id,))

    def referencing(self, subject: str, version: int) -> list[int]:
        """Return the ids of schemas that refer to this version and have a version that is not deleted."""
        rows = self._db.execute(
            "SELECT DISTINCT r.schema_id FROM refs r JOIN versions v ON v.schema_id = r.schema_id "
            "WHERE r.subject = ? AND r.version = ? AND v.deleted = 0 ORDER BY 1",
            (subject, version),
        )
        return [row[0] for row in rows]

    def settings(self, subject: str = GLOBAL) -> Settings:
        query = "SELECT level, normalize, mode FROM settings WHERE subject = ?"
        row = self._db.execute(query, (subject,)).fetchone()
        if row is None:
            return Settings()
        level, normalize, mode = row
        return Settings(level, None if normalize is None else bool(normalize), mode)

    def put_settings(self, subject: str, settings: Settings) -> None:
        if settings == Settings():
            self._db.execute("DELETE FROM settings WHERE subject = ?", (subject,))
            return
        self._db.execute(
            "INSERT OR REPLACE INTO settings VALUES (?, ?, ?, ?)",
            (subject, settings.level, settings.normalize, settings.mode),
        )


def _stored(schema_id: int, text: str, refs: str) -> StoredSchema:
    return StoredSchema(schema_id, text, tuple(Reference(**reference) for reference in json.loads(refs)))


def _fingerprint(text: str, references: tuple[Reference, ...]) -> bytes:
    return sha256(json.dumps([text, [reference.as_json() for reference in references]]).encode()).digest()
