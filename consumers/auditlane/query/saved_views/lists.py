"""Pure functions that change the list of views of one owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditlane.query.saved_views.models import StoredView
from auditlane.runtime.errors import Conflict, NotFound, PreconditionFailed

Views = tuple[StoredView, ...]


def parsed(document: dict[str, Any]) -> Views:
    """Return the views of a stored document."""
    return tuple(map(StoredView.model_validate, document.get("views", ())))


def document_of(views: Sequence[StoredView]) -> dict[str, Any]:
    """Return the document that stores the views."""
    return {"views": [view.model_dump(mode="json", by_alias=True) for view in views]}


def found(views: Sequence[StoredView], view_id: str) -> StoredView:
    """Return the view with this id. Raises NotFound if there is no such view."""
    view = next((view for view in views if view.id == view_id), None)
    if view is None:
        raise NotFound(f"There is no saved view {view_id[:100]!r}.", fix="List the views with GET /v1/views.")
    return view


def with_view(views: Sequence[StoredView], view: StoredView, *, limit: int, owner: str, setting: str) -> Views:
    """Return the views with this one added. If there is a view with the same id, it is replaced.

    Raises Conflict if another view has the same name, or if there are too many views. `owner` is "This tenant" or
    "This person", and `setting` is the variable that sets the limit.
    """
    others = [other for other in views if other.id != view.id]
    if any(other.name.casefold() == view.name.casefold() for other in others):
        raise Conflict(
            f"{owner} already has another view named {view.name!r}.",
            field="name",
            fix="Choose another name, or change the other view.",
        )
    replaced = len(others) < len(views)
    if not replaced and len(views) >= limit:
        raise Conflict(
            f"{owner} already has {len(views)} saved views; the limit is {limit}.",
            field="shared",
            fix=f"Delete one that is no longer needed. An operator can raise {setting}.",
        )
    return tuple(view if other.id == view.id else other for other in views) if replaced else (*views, view)


def without_view(views: Sequence[StoredView], view_id: str) -> Views:
    """Return the views except the one with this id."""
    return tuple(view for view in views if view.id != view_id)


def require_unchanged(view: StoredView, etags: Sequence[str] | None) -> None:
    """Raise PreconditionFailed unless the view has one of these ETags. With None or `*`, any revision is accepted."""
    if etags is not None and f'"{view.revision}"' not in etags and "*" not in etags:
        raise PreconditionFailed(
            f"The saved view was changed by {view.changed_by} since it was read.",
            fix="Read it again, then repeat the change.",
        )
