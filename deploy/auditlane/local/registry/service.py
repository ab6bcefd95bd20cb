"""What the registry decides: which id and version a schema gets, what may be deleted, which settings hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from auditlane.local.registry import errors
from auditlane.local.registry.canonical import normalized, render
from auditlane.local.registry.compatibility import LEVELS, Previous, check
from auditlane.local.registry.schema import Node, SchemaParseError, parse
from auditlane.local.registry.store import GLOBAL, Reference, Settings, Store, Stored, Version

MODES = ("READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT")
LATEST = -1


@dataclass(frozen=True, slots=True)
class Request:
    """A schema as a client sends it. `version` 0 and `schema_id` -1 mean: whatever the registry gives."""

    subject: str
    text: str
    references: tuple[Reference, ...] = ()
    schema_id: int = -1
    version: int = 0
    normalize: bool = False


@dataclass(frozen=True, slots=True)
class _Parsed:
    text: str
    references: tuple[Reference, ...]
    schema: Node


class Registry:
    """The rules over a Store. Every method is one transaction; errors are `errors.Refusal`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # Schemas and versions

    def register(self, request: Request) -> int:
        """The id of the schema, registered under the subject unless it is already."""
        with self._store.transaction():
            live = self._live(request.subject)
            if not request.text.strip():  # as Confluent: the subject's latest again
                _permit_registration(request, self._mode_in_scope(request.subject))
                if not live:
                    raise errors.invalid_schema("Empty schema")
                return live[-1].schema.schema_id
            parsed = self._canonical(request)
            if request.version == 0:
                found = self._registered(live, parsed, request.schema_id)
                if found is not None:
                    return found.schema.schema_id
            return self._register(request, parsed, live)

    def _register(self, request: Request, parsed: _Parsed, live: Sequence[Version]) -> int:
        mode = self._mode_in_scope(request.subject)
        _permit_registration(request, mode)
        if mode != "IMPORT":
            reasons = self._check(request.subject, parsed.schema, live)
            if reasons:
                raise errors.incompatible(request.subject, reasons)
        every = self._store.versions(request.subject)
        following = max((one.version for one in every), default=0) + 1
        version = request.version if request.version > 0 else following
        if version != following and mode != "IMPORT":
            raise errors.invalid_schema("Version is not one more than previous version")
        schema_id = self._schema_id(request, parsed)
        self._store.put_version(request.subject, version, schema_id)
        for one in every:  # the deleted version of this schema gives way to the new one
            if one.deleted and one.schema.schema_id == schema_id and one.version < version:
                self._store.drop_version(request.subject, one.version)
        return schema_id

    def _schema_id(self, request: Request, parsed: _Parsed) -> int:
        same = self._store.find(parsed.text, parsed.references)
        if request.schema_id < 0:
            return same[0].schema_id if same else self._store.add(parsed.text, parsed.references).schema_id
        taken = self._store.schema(request.schema_id)
        if taken is None:
            return self._store.add(parsed.text, parsed.references, request.schema_id).schema_id
        if (taken.text, taken.references) != (parsed.text, parsed.references):
            raise errors.not_permitted(f"Overwrite new schema with id {request.schema_id} is not permitted.")
        return taken.schema_id

    def lookup(self, request: Request, *, deleted: bool) -> Version:
        """The version under which the schema is registered."""
        if request.text.strip():
            parsed = self._canonical(request)
            candidates = [one for one in self._store.versions(request.subject) if deleted or not one.deleted]
            found = self._registered(candidates, parsed, -1)
            if found is not None:
                return found
        if not self._store.has_subject(request.subject, deleted=deleted):
            raise errors.subject_not_found(request.subject)
        raise errors.schema_not_found()

    def _registered(self, versions: Sequence[Version], parsed: _Parsed, schema_id: int) -> Version | None:
        newest_first = [one for one in reversed(versions) if schema_id in (-1, one.schema.schema_id)]
        for one in newest_first:
            if (one.schema.text, one.schema.references) == (parsed.text, parsed.references):
                return one
        if parsed.references:
            return None
        for one in newest_first:  # the same schema, sent with its references written out
            if one.schema.references and render(self._parse(one.schema)) == parsed.text:
                return one
        return None

    def schema(self, schema_id: int) -> Stored:
        stored = self._store.schema(schema_id)
        if stored is None:
            raise errors.schema_not_found(schema_id)
        return stored

    def max_id(self) -> int:
        return self._store.max_id()

    def versions_of(self, schema_id: int, *, deleted: bool) -> list[Version]:
        """Where the schema is registered."""
        self.schema(schema_id)
        return [one for one in self._store.versions_of(schema_id) if deleted or not one.deleted]

    def subjects(self, prefix: str, *, deleted: bool, deleted_only: bool) -> list[str]:
        return self._store.subjects(prefix, live=not deleted_only, deleted=deleted or deleted_only)

    def schemas(self, prefix: str, *, deleted: bool, latest_only: bool) -> list[Version]:
        found = [one for one in self._store.all_versions(prefix) if deleted or not one.deleted]
        return list({one.subject: one for one in found}.values()) if latest_only else found

    def versions(self, subject: str, *, deleted: bool, deleted_only: bool) -> list[int]:
        if not self._store.has_subject(subject, deleted=deleted or deleted_only):
            raise errors.subject_not_found(subject)
        return [
            one.version
            for one in self._store.versions(subject)
            if (one.deleted if deleted_only else deleted or not one.deleted)
        ]

    def version(self, subject: str, version: int, *, deleted: bool) -> Version:
        """One version; LATEST is the highest that is not deleted."""
        found = self._version(subject, version, deleted=deleted)
        if found is None:
            if not self._store.has_subject(subject, deleted=deleted):
                raise errors.subject_not_found(subject)
            raise errors.version_not_found(version)
        return found

    def _version(self, subject: str, version: int, *, deleted: bool) -> Version | None:
        every = self._store.versions(subject)
        if version == LATEST:
            return next((one for one in reversed(every) if not one.deleted), None)
        return next((one for one in every if one.version == version and (deleted or not one.deleted)), None)

    def referenced_by(self, subject: str, version: int) -> list[int]:
        return self._store.referencing(subject, self.version(subject, version, deleted=True).version)

    # Deleting

    def delete_version(self, subject: str, version: int, *, permanent: bool, asked: str) -> int:
        """Delete one version, softly or for good; returns its number. `asked` is how the caller named it."""
        with self._store.transaction():
            found = self.version(subject, version, deleted=True)
            if found.deleted and not permanent:
                raise errors.version_soft_deleted(subject, asked)
            self._refuse_read_only(subject)
            self._refuse_referenced(found)
            if not permanent:
                self._store.mark_deleted(subject, found.version)
                if not self._store.has_subject(subject, deleted=False):
                    self._store.put_settings(subject, Settings())
            elif not found.deleted:
                raise errors.version_not_soft_deleted(subject, found.version)
            else:
                self._store.drop_version(subject, found.version)
            return found.version

    def delete_subject(self, subject: str, *, permanent: bool) -> list[int]:
        """Delete every version, softly or for good; returns their numbers."""
        with self._store.transaction():
            every = self._store.versions(subject)
            if not every:
                raise errors.subject_not_found(subject)
            doomed = every if permanent else [one for one in every if not one.deleted]
            if not doomed:
                raise errors.subject_soft_deleted(subject)
            self._refuse_read_only(subject)
            for one in doomed:
                self._refuse_referenced(one)
                if permanent and not one.deleted:
                    raise errors.subject_not_soft_deleted(subject)
            for one in doomed:
                if permanent:
                    self._store.drop_version(subject, one.version)
                else:
                    self._store.mark_deleted(subject, one.version)
            if not permanent:
                self._store.put_settings(subject, Settings())
            return [one.version for one in doomed]

    def _refuse_referenced(self, version: Version) -> None:
        if self._store.referencing(version.subject, version.version):
            raise errors.referenced(version.subject, version.version)

    # Compatibility

    def compatible(self, request: Request, version: int | None) -> list[str]:
        """Why the schema may not follow: one version, or (None) what the subject's level looks at. Empty: it may."""
        if version is None:
            against = self._live(request.subject)
        else:
            found = self._version(request.subject, version, deleted=False)
            if found is None and version != LATEST:
                raise errors.version_not_found(version)
            against = [found] if found else []
        if not request.text.strip():
            raise errors.invalid_schema("Empty schema")
        return self._check(request.subject, self._canonical(request).schema, against)

    def _check(self, subject: str, schema: Node, against: Sequence[Version]) -> list[str]:
        level = self.level(subject, default_to_global=True)
        transitive = level.endswith("_TRANSITIVE")
        needed = against if transitive else against[-1:]
        previous = [Previous(one.version, one.schema.text, self._parse(one.schema)) for one in needed]
        reasons = check(level, schema, previous)
        return [*reasons, f"{{validateFields: 'false', compatibility: '{level}'}}"] if reasons else []

    # Settings

    def level(self, subject: str = GLOBAL, *, default_to_global: bool = False) -> str:
        level = self._store.settings(subject).level
        if level is not None:
            return level
        if subject != GLOBAL and not default_to_global:
            raise errors.compatibility_not_configured(subject)
        return self._store.settings().level or "BACKWARD"

    def normalizes(self, subject: str) -> bool | None:
        return self._store.settings(subject).normalize

    def configure(self, subject: str, level: str | None, normalize: bool | None) -> None:
        if level is not None and level not in LEVELS:
            raise errors.invalid_level()
        with self._store.transaction():
            self._refuse_read_only(subject)
            old = self._store.settings(subject)
            kept = old.normalize if normalize is None else normalize
            self._store.put_settings(subject, replace(old, level=level or old.level, normalize=kept))

    def unconfigure(self, subject: str) -> str:
        """Forget the level; returns what it was."""
        with self._store.transaction():
            old = self._store.settings(subject)
            if subject != GLOBAL and old.level is None:
                raise errors.subject_not_found(subject)
            self._refuse_read_only(subject)
            self._store.put_settings(subject, replace(old, level=None, normalize=None))
            return old.level or "BACKWARD"

    def mode(self, subject: str = GLOBAL, *, default_to_global: bool = False) -> str:
        if subject == GLOBAL or default_to_global:
            return self._mode_in_scope(subject)
        overriding = self._store.settings().mode == "READONLY_OVERRIDE"
        mode = "READONLY_OVERRIDE" if overriding else self._store.settings(subject).mode
        if mode is None:
            raise errors.mode_not_configured(subject)
        return mode

    def set_mode(self, subject: str, mode: str, *, force: bool) -> None:
        if mode not in MODES:
            raise errors.invalid_mode()
        with self._store.transaction():
            if mode == "IMPORT" and self._mode_in_scope(subject) != "IMPORT" and not force:
                self._clear_for_import(subject)
            self._store.put_settings(subject, replace(self._store.settings(subject), mode=mode))

    def unset_mode(self, subject: str) -> str:
        """Forget the mode; returns what it was."""
        with self._store.transaction():
            old = self._store.settings(subject)
            if subject != GLOBAL and old.mode is None:
                raise errors.subject_not_found(subject)
            self._store.put_settings(subject, replace(old, mode=None))
            return old.mode or "READWRITE"

    def _clear_for_import(self, subject: str) -> None:
        """Import begins on an empty subject; what is left of deleted versions goes."""
        versions = self._store.all_versions() if subject == GLOBAL else self._store.versions(subject)
        if any(not one.deleted for one in versions):
            raise errors.not_permitted("Cannot import since found existing subjects")
        for one in versions:
            self._refuse_referenced(one)
            self._store.drop_version(one.subject, one.version)

    def _mode_in_scope(self, subject: str) -> str:
        top = self._store.settings().mode
        if top == "READONLY_OVERRIDE":
            return top
        return self._store.settings(subject).mode or top or "READWRITE"

    def _refuse_read_only(self, subject: str) -> None:
        if self._mode_in_scope(subject).startswith("READONLY"):
            raise errors.not_permitted(f"Subject {subject or None} is in read-only mode")

    # Parsing

    def _live(self, subject: str) -> list[Version]:
        return [one for one in self._store.versions(subject) if not one.deleted]

    def _canonical(self, request: Request) -> _Parsed:
        references = request.references
        normalize = request.normalize or self._normalizes_in_scope(request.subject)
        try:
            schema, known = parse(request.text, self._resolve(references))
        except SchemaParseError as error:
            raise errors.invalid_schema(_describe(request, str(error))) from error
        if normalize:
            schema = normalized(schema)
            references = tuple(sorted(set(references), key=lambda one: (one.name, one.subject, one.version)))
        text = render(schema, known)
        if not text.isprintable() and "\ud800" <= max(text) <= "\udfff":
            raise errors.invalid_schema(_describe(request, "half of a surrogate pair"))
        return _Parsed(text, references, schema)

    def _normalizes_in_scope(self, subject: str) -> bool:
        own = self._store.settings(subject).normalize
        return bool(self._store.settings().normalize if own is None else own)

    def _parse(self, stored: Stored) -> Node:
        return _parsed(stored.text, tuple(self._resolve(stored.references)))

    def _resolve(self, references: Sequence[Reference]) -> list[str]:
        """The texts that the references name, each once and after those that it needs itself."""
        texts: dict[str, None] = {}
        for reference in references:
            target = self._version(reference.subject, reference.version, deleted=True)
            if target is None:
                raise SchemaParseError(
                    f'No schema reference found for subject "{reference.subject}" and version {reference.version}'
                )
            texts |= dict.fromkeys(self._resolve(target.schema.references))
            texts[target.schema.text] = None
        return list(texts)


@lru_cache(maxsize=256)
def _parsed(text: str, referenced: tuple[str, ...]) -> Node:
    return parse(text, referenced)[0]


def _permit_registration(request: Request, mode: str) -> None:
    subject = request.subject
    if mode.startswith("READONLY"):
        raise errors.not_permitted(f"Subject {subject} is in read-only mode")
    if request.schema_id >= 0 and mode != "IMPORT":
        raise errors.not_permitted(f"Subject {subject} is not in import mode")
    if request.schema_id < 0 and mode != "READWRITE":
        raise errors.not_permitted(f"Subject {subject} is not in read-write mode")


def _describe(request: Request, problem: str) -> str:
    references = ", ".join(
        f"{{name='{one.name}', subject='{one.subject}', version={one.version}}}" for one in request.references
    )
    schema = (
        f"{{subject={request.subject},version={request.version},id={request.schema_id},schemaType=AVRO,"
        f"references=[{references}],metadata=null,ruleSet=null,schema={request.text}}}"
    )
    return f"Invalid schema {schema} with refs [{references}] of type AVRO, details: {problem}"
