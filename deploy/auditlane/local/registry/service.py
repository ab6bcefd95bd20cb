"""The registry's rules on schemas' ids and versions, lookup, deletion and compatibility."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from auditlane.local.registry import errors
from auditlane.local.registry.canonical import render
from auditlane.local.registry.compatibility import Previous, check
from auditlane.local.registry.nodes import Node
from auditlane.local.registry.policy import Policy
from auditlane.local.registry.resolver import ParsedSchema, Request, Resolver
from auditlane.local.registry.schema import SchemaParseError
from auditlane.local.registry.store import Settings, Store, StoredSchema, Version

LATEST = -1


class Registry:
    """Applies the rules to a Store. Every method is one transaction and raises `errors.ApiError`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.policy = Policy(store)
        self._resolver = Resolver(store, self.policy)

    # Schemas and versions

    def register(self, request: Request) -> int:
        """Register the schema under the subject, unless registered already, and return its id."""
        with self._store.transaction():
            live = self._live(request.subject)
            if not request.text.strip():  # like Confluent's registry, returns the subject's latest
                _check_registration_mode(request, self.policy.mode_in_scope(request.subject))
                if not live:
                    raise errors.invalid_schema("Empty schema")
                return live[-1].schema.schema_id
            parsed = self._resolver.canonical(request, new=True)
            if request.version == 0:
                found = self._registered(live, parsed, request.schema_id)
                if found is not None:
                    return found.schema.schema_id
            return self._register(request, parsed, live)

    def _register(self, request: Request, parsed: ParsedSchema, live: Sequence[Version]) -> int:
        mode = self.policy.mode_in_scope(request.subject)
        _check_registration_mode(request, mode)
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
        for earlier in every:  # the new version replaces a deleted one of the same schema
            if earlier.deleted and earlier.schema.schema_id == schema_id and earlier.version < version:
                self._store.drop_version(request.subject, earlier.version)
        return schema_id

    def _schema_id(self, request: Request, parsed: ParsedSchema) -> int:
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
        """Return the version under which the schema is registered."""
        if request.text.strip():
            parsed = self._resolver.canonical(request, new=False)
            candidates = [one for one in self._store.versions(request.subject) if deleted or not one.deleted]
            found = self._registered(candidates, parsed, -1)
            if found is not None:
                return found
        if not self._store.has_subject(request.subject, deleted=deleted):
            raise errors.subject_not_found(request.subject)
        raise errors.schema_not_found()

    def _registered(self, versions: Sequence[Version], parsed: ParsedSchema, schema_id: int) -> Version | None:
        newest_first = [version for version in reversed(versions) if schema_id in (-1, version.schema.schema_id)]
        for version in newest_first:
            if (version.schema.text, version.schema.references) == (parsed.text, parsed.references):
                return version
        if parsed.references:
            return None
        for version in newest_first:  # the same schema, sent with its references inlined
            if version.schema.references and self._written_out(version.schema) == parsed.text:
                return version
        return None

    def _written_out(self, stored: StoredSchema) -> str | None:
        try:
            return render(self._resolver.parse(stored))
        except SchemaParseError:  # a deleted schema may refer to a dropped one
            return None

    def schema(self, schema_id: int) -> StoredSchema:
        stored = self._store.schema(schema_id)
        if stored is None:
            raise errors.schema_not_found(schema_id)
        return stored

    def schemas_of(self, guid: str) -> list[StoredSchema]:
        """Return the schemas with this GUID, at least one, in order of id."""
        try:
            found = self._store.with_guid(UUID(guid))
        except ValueError:
            found = []
        if not found:
            raise errors.schema_not_found(guid)
        return found

    def max_id(self) -> int:
        return self._store.max_id()

    def versions_of(self, schema_id: int, *, deleted: bool) -> list[Version]:
        """Return the versions that contain the schema."""
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
        """Return one version. LATEST is the highest version that is not deleted."""
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

    def delete_version(self, subject: str, version: int, *, permanent: bool, version_text: str) -> int:
        """Delete one version, softly or permanently, and return its number. `version_text` is for errors."""
        with self._store.transaction():
            found = self.version(subject, version, deleted=True)
            if found.deleted and not permanent:
                raise errors.version_soft_deleted(subject, version_text)
            self.policy.require_writable(subject)
            self.policy.require_unreferenced(found)
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
        """Delete every version, softly or permanently, and return their numbers."""
        with self._store.transaction():
            every = self._store.versions(subject)
            if not every:
                raise errors.subject_not_found(subject)
            doomed = every if permanent else [one for one in every if not one.deleted]
            if not doomed:
                raise errors.subject_soft_deleted(subject)
            self.policy.require_writable(subject)
            for version in doomed:
                self.policy.require_unreferenced(version)
                if permanent and not version.deleted:
                    raise errors.subject_not_soft_deleted(subject)
            for version in doomed:
                if permanent:
                    self._store.drop_version(subject, version.version)
                else:
                    self._store.mark_deleted(subject, version.version)
            if not permanent:
                self._store.put_settings(subject, Settings())
            return [version.version for version in doomed]

    # Compatibility

    def compatible(self, request: Request, version: int | None) -> list[str]:
        """Return why the schema is incompatible with a version, or an empty list if it is compatible.

        If `version` is None, it is compared with the versions that the subject's level requires.
        """
        if version is None:
            against = self._live(request.subject)
        else:
            found = self._version(request.subject, version, deleted=False)
            if found is None and version != LATEST:
                raise errors.version_not_found(version)
            against = [found] if found else []
        if not request.text.strip():
            raise errors.invalid_schema("Empty schema")
        return self._check(request.subject, self._resolver.canonical(request, new=True).schema, against)

    def _check(self, subject: str, schema: Node, against: Sequence[Version]) -> list[str]:
        level = self.policy.level(subject, default_to_global=True)
        transitive = level.endswith("_TRANSITIVE")
        needed = against if transitive else against[-1:]
        previous = [Previous(one.version, one.schema.text, self._resolver.parse(one.schema)) for one in needed]
        reasons = check(level, schema, previous)
        return [*reasons, f"{{validateFields: 'false', compatibility: '{level}'}}"] if reasons else []

    def _live(self, subject: str) -> list[Version]:
        return [one for one in self._store.versions(subject) if not one.deleted]


def _check_registration_mode(request: Request, mode: str) -> None:
    subject = request.subject
    if mode.startswith("READONLY"):
        raise errors.not_permitted(f"Subject {subject} is in read-only mode")
    if request.schema_id >= 0 and mode != "IMPORT":
        raise errors.not_permitted(f"Subject {subject} is not in import mode")
    if request.schema_id < 0 and mode != "READWRITE":
        raise errors.not_permitted(f"Subject {subject} is not in read-write mode")
