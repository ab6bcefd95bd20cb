"""Small JSON documents of the environment. They are in the table `settings`, alongside the data structure's revisions.

The newest row of a document applies, and earlier rows are its history.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from auditlane.runtime.errors import Conflict
from auditlane.store.client import store_errors

_ATTEMPTS: Final = 5


def load_document(client: Client, database: str, name: str) -> dict[str, Any]:
    """Return the document, or {} if none has been saved."""
    return _newest(client, database, _scope(name))[1]


def save_document(
    client: Client, database: str, name: str, document: dict[str, Any], *, changed_by: str, now: datetime
) -> None:
    """Replace the document. The later of two concurrent saves wins. Raises Conflict if many callers save at once."""
    scope, text = _scope(name), json.dumps([document])
    for _ in range(_ATTEMPTS):
        revision, save_id = _newest(client, database, scope)[0] + 1, uuid.uuid4()
        with store_errors():
            client.insert(
                "settings",
                [[scope, revision, save_id, None, text, changed_by, now]],
                column_names=["scope", "revision", "save_id", "enabled", "fields", "changed_by", "changed_at"],
                database=database,
                # Of two inserts with the same token only the first is stored; `save_id` shows whose it was.
                settings={"insert_deduplication_token": f"{scope}:{revision}"},
            )
            rows = client.query(
                "SELECT save_id FROM {database:Identifier}.settings WHERE scope = {scope:String} "
                "AND revision = {revision:UInt64}",
                parameters={"database": database, "scope": scope, "revision": revision},
            ).result_rows
        if [row[0] for row in rows] == [save_id]:
            return
    raise Conflict(f"The document {name} is being changed by many callers concurrently.", fix="Try again in a moment.")


def _scope(name: str) -> str:
    return f"document:{name}"


def _newest(client: Client, database: str, scope: str) -> tuple[int, dict[str, Any]]:
    with store_errors():
        rows = client.query(
            "SELECT revision, fields FROM {database:Identifier}.settings WHERE scope = {scope:String} "
            "ORDER BY revision DESC LIMIT 1",
            parameters={"database": database, "scope": scope},
        ).result_rows
    return (int(rows[0][0]), json.loads(rows[0][1])[0]) if rows else (0, {})
