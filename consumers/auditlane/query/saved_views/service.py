"""Stores saved views. Each tenant has one document for its shared views, and each person has one for their own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from clickhouse_connect.driver.client import Client

from auditlane.query.saved_views import lists
from auditlane.query.saved_views.lists import Views
from auditlane.query.saved_views.models import SavedView, StoredView, ViewRequest
from auditlane.runtime.errors import NotFound, PreconditionFailed
from auditlane.runtime.ids import uuid7
from auditlane.runtime.settings import SavedViewSettings, variable
from auditlane.store.documents import change_document, load_documents


@dataclass(frozen=True, slots=True)
class Owner:
    """A person in a tenant. `kind` distinguishes users, clients and operators, whose ids may be equal.

    Under a base filter, a person has separate views and cannot use those of the tenant, since a search could name
    anything in the log. `base_filter` is the filter's digest, or empty.
    """

    tenant: str
    kind: str
    user: str
    base_filter: bytes = b""

    def document(self, *, shared: bool) -> str:
        """Return the name of the document with the tenant's views, or with the person's."""
        if shared:
            return f"views:{self.tenant}"
        key = json.dumps([self.kind, self.user]).encode() + self.base_filter
        return f"views:{self.tenant}:{hashlib.blake2b(key, digest_size=16).hexdigest()}"


class SavedViews:
    """Reads and changes saved views. Thread-safe.

    `etags` are the ETags that the caller read, or None to accept any revision. Methods raise the errors of the store.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        database: str,
        settings: SavedViewSettings,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client, self._database, self._settings, self._now = client, database, settings, now

    def all(self, owner: Owner) -> list[SavedView]:
        """Return the views that a person can use. The tenant's views come before their own."""
        shared, own = self._lists(owner)
        return [_answer(view, shared=True) for view in shared] + [_answer(view, shared=False) for view in own]

    def find(self, owner: Owner, view_id: str) -> SavedView:
        """Return a view that the person can use. Raises NotFound if no such view has this id."""
        shared, own = self._lists(owner)
        view = lists.found([*shared, *own], view_id)
        return _answer(view, shared=view in shared)

    def create(self, owner: Owner, content: ViewRequest) -> SavedView:
        """Save a new view. Raises Conflict if the name is taken, or if there are too many views."""
        now, shared = self._now(), content.shared is True
        view = StoredView(
            **_content(content),
            id=uuid7(),
            revision=1,
            created_by=owner.user,
            created_at=now,
            changed_by=owner.user,
            changed_at=now,
        )
        self._put(owner, view, shared=shared)
        return _answer(view, shared=shared)

    def replace(self, owner: Owner, before: SavedView, content: ViewRequest, etags: Sequence[str]) -> SavedView:
        """Replace the content of a view, and share it or stop sharing it.

        Raises NotFound if there is no such view, PreconditionFailed if it was changed in the meantime, and the errors
        of `create`.
        """
        shared = before.shared if content.shared is None else content.shared
        if shared == before.shared:
            return self._replaced(owner, before, content, etags)
        lists.require_unchanged(before, etags)
        # Added before it is removed, so that an interruption loses nothing. A view in both lists is a shared one.
        view = self._changed(owner, before, content)
        self._put(owner, view, shared=shared)
        try:
            self._remove(owner, before, shared=before.shared, etags=[before.etag])
        except (NotFound, PreconditionFailed):
            self._remove(owner, before, shared=shared, etags=None)
            raise
        return _answer(view, shared=shared)

    def delete(self, owner: Owner, view: SavedView, etags: Sequence[str] | None) -> None:
        """Delete a view. Raises NotFound if there is no such view, and PreconditionFailed if it was changed in the
        meantime.
        """
        self._remove(owner, view, shared=view.shared, etags=etags)

    def _lists(self, owner: Owner) -> tuple[Views, Views]:
        names = [owner.document(shared=shared) for shared in (True, False)]
        found = load_documents(self._client(), self._database, names)
        shared, own = (lists.parsed(found[name]) for name in names)
        shared = () if owner.base_filter else shared
        ids = {view.id for view in shared}
        return shared, tuple(view for view in own if view.id not in ids)

    def _replaced(self, owner: Owner, before: SavedView, content: ViewRequest, etags: Sequence[str]) -> SavedView:
        def change(views: Views) -> Views:
            present = lists.found(views, before.id)
            lists.require_unchanged(present, etags)
            return self._with(views, self._changed(owner, present, content), shared=before.shared)

        after = self._change(owner, change, shared=before.shared)
        return _answer(lists.found(after, before.id), shared=before.shared)

    def _changed(self, owner: Owner, present: StoredView, content: ViewRequest) -> StoredView:
        return StoredView(
            **_content(content),
            id=present.id,
            revision=present.revision + 1,
            created_by=present.created_by,
            created_at=present.created_at,
            changed_by=owner.user,
            changed_at=self._now(),
        )

    def _put(self, owner: Owner, view: StoredView, *, shared: bool) -> None:
        self._change(owner, partial(self._with, view=view, shared=shared), shared=shared)

    def _with(self, views: Views, view: StoredView, *, shared: bool) -> Views:
        settings = self._settings
        limit, holder, name = (
            (settings.saved_views_per_tenant, "This tenant", "saved_views_per_tenant")
            if shared
            else (settings.saved_views_per_person, "This person", "saved_views_per_person")
        )
        return lists.with_view(views, view, limit=limit, owner=holder, setting=variable(name))

    def _remove(self, owner: Owner, view: StoredView, *, shared: bool, etags: Sequence[str] | None) -> None:
        def change(views: Views) -> Views:
            lists.require_unchanged(lists.found(views, view.id), etags)
            return lists.without_view(views, view.id)

        self._change(owner, change, shared=shared)

    def _change(self, owner: Owner, change: Callable[[Views], Views], *, shared: bool) -> Views:
        def changed(document: dict[str, Any]) -> dict[str, Any]:
            return lists.document_of(change(lists.parsed(document)))

        saved = change_document(
            self._client(),
            self._database,
            owner.document(shared=shared),
            changed,
            changed_by=owner.user,
            now=self._now(),
        )
        return lists.parsed(saved)


def _content(content: ViewRequest) -> dict[str, Any]:
    return content.model_dump(exclude={"shared"})


def _answer(view: StoredView, *, shared: bool) -> SavedView:
    return SavedView(**view.model_dump(include=set(StoredView.model_fields)), shared=shared)
