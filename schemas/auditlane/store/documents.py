"""Small JSON documents in the table `settings`, alongside the data structure's revisions.

A document's newest row applies; earlier rows are its history.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from auditlane.runtime.errors import Conflict
from auditlane.store.client import store_errors

_ATTEMPTS: Final = 10
Document = dict[str, Any]


def load_document(client: Client, database: str, name: str) -> Document:
    """Return the document, or {} if it was never saved."""
    return load_documents(client, database, [name])[name]


def load_documents(client: Client, database: str, names: Collection[str]) -> dict[str, Document]:
    """Return the documents by name, with one query. A document that was never saved is {}."""
    newest = _newest(client, database, [_scope(name) for name in names])
    return {name: newest.get(_scope(name), (0, {}))[1] for name in names}


def save_document(
    client: Client, database: str, name: str, document: Document, *, changed_by: str, now: datetime
) -> None:
    """Replace the document. The later of two concurrent saves wins. Raises Conflict if too many callers save
    concurrently.
    """
    change_document(client, database, name, lambda _: document, changed_by=changed_by, now=now)


def change_document(
    client: Client,
    database: str,
    name: str,
    change: Callable[[Document], Document],
    *,
    changed_by: str,
    now: datetime,
) -> Document:
    """Save `change(document)` and return it. Raises Conflict if too many callers save concurrently.

    If another caller saves first, `change` is called again with the new document, so no change is lost. Therefore, it
    must not have side effects. If it raises an error, nothing is saved.
    """
    scope = _scope(name)
    for _ in range(_ATTEMPTS):
        seen, present = _newest(client, database, [scope]).get(scope, (0, {}))
        document, revision, save_id = change(present), seen + 1, uuid.uuid4()
        with store_errors():
            client.insert(
                "settings",
                [[scope, revision, save_id, None, json.dumps([document]), changed_by, now]],
                column_names=["scope", "revision", "save_id", "enabled", "fields", "changed_by", "changed_at"],
                database=database,
                # Of two inserts with the same token, only the first is stored; `save_id` shows whose it was.
                settings={"insert_deduplication_token": f"{scope}:{revision}"},
            )
            rows = client.query(
                "SELECT save_id FROM {database:Identifier}.settings WHERE scope = {scope:String} "
                "AND revision = {revision:UInt64}",
                parameters={"database": database, "scope": scope, "revision": revision},
            ).result_rows
        if [row[0] for row in rows] == [save_id]:
            return document
    raise Conflict(f"The document {name} is being changed by many callers concurrently.", fix="Try again in a moment.")


def _scope(name: str) -> str:
    return f"document:{name}"


def _newest(client: Client, database: str, scopes: Collection[str]) -> dict[str, tuple[int, Document]]:
    with store_errors():
        rows = client.query(
            "SELECT scope, revision, fields FROM {database:Identifier}.settings WHERE scope IN {scopes:Array(String)} "
            "ORDER BY revision DESC LIMIT 1 BY scope",
            parameters={"database": database, "scopes": list(scopes)},
        ).result_rows
    return {scope: (int(revision), json.loads(text)[0]) for scope, revision, text in rows}
