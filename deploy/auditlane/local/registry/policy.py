"""A subject's settings (compatibility level, normalization, mode), which default to the global settings."""

from __future__ import annotations

from dataclasses import replace

from auditlane.local.registry import errors
from auditlane.local.registry.compatibility import LEVELS
from auditlane.local.registry.store import GLOBAL, Store, Version

MODES = ("READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT")


class Policy:
    """Reads and changes settings. GLOBAL is the subject that stores the defaults."""

    def __init__(self, store: Store) -> None:
        self._store = store

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
            self.require_writable(subject)
            old = self._store.settings(subject)
            kept = old.normalize if normalize is None else normalize
            self._store.put_settings(subject, replace(old, level=level or old.level, normalize=kept))

    def unconfigure(self, subject: str) -> str:
        """Delete the level and return it."""
        with self._store.transaction():
            old = self._store.settings(subject)
            if subject != GLOBAL and old.level is None:
                raise errors.subject_not_found(subject)
            self.require_writable(subject)
            self._store.put_settings(subject, replace(old, level=None, normalize=None))
            return old.level or "BACKWARD"

    def mode(self, subject: str = GLOBAL, *, default_to_global: bool = False) -> str:
        if subject == GLOBAL or default_to_global:
            return self.mode_in_scope(subject)
        overriding = self._store.settings().mode == "READONLY_OVERRIDE"
        mode = "READONLY_OVERRIDE" if overriding else self._store.settings(subject).mode
        if mode is None:
            raise errors.mode_not_configured(subject)
        return mode

    def set_mode(self, subject: str, mode: str, *, force: bool) -> None:
        if mode not in MODES:
            raise errors.invalid_mode()
        with self._store.transaction():
            if mode == "IMPORT" and self.mode_in_scope(subject) != "IMPORT" and not force:
                self._clear_for_import(subject)
            self._store.put_settings(subject, replace(self._store.settings(subject), mode=mode))

    def unset_mode(self, subject: str) -> str:
        """Delete the mode and return it."""
        with self._store.transaction():
            old = self._store.settings(subject)
            if subject != GLOBAL and old.mode is None:
                raise errors.subject_not_found(subject)
            self._store.put_settings(subject, replace(old, mode=None))
            return old.mode or "READWRITE"

    def _clear_for_import(self, subject: str) -> None:
        """Drop deleted versions. Raises ApiError if the subject has other versions, since an import requires an empty
        subject.
        """
        versions = self._store.all_versions() if subject == GLOBAL else self._store.versions(subject)
        if any(not version.deleted for version in versions):
            raise errors.not_permitted("Cannot import since found existing subjects")
        for version in versions:
            self.require_unreferenced(version)
            self._store.drop_version(version.subject, version.version)

    def normalizes_in_scope(self, subject: str) -> bool:
        own = self._store.settings(subject).normalize
        return bool(self._store.settings().normalize if own is None else own)

    def mode_in_scope(self, subject: str) -> str:
        top = self._store.settings().mode
        if top == "READONLY_OVERRIDE":
            return top
        return self._store.settings(subject).mode or top or "READWRITE"

    def require_writable(self, subject: str) -> None:
        if self.mode_in_scope(subject).startswith("READONLY"):
            raise errors.not_permitted(f"Subject {subject or None} is in read-only mode")

    def require_unreferenced(self, version: Version) -> None:
        if self._store.referencing(version.subject, version.version):
            raise errors.referenced(version.subject, version.version)
