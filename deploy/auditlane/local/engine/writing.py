"""An INSERT whose data came in the body: whole in a spool, then read by the statement itself.

`send_insert` of the library hides failures; a statement that reads its data FROM INFILE raises all of them.
"""

from __future__ import annotations

import itertools

from auditlane.local.engine.embedded import Connection, Result, identifier
from auditlane.local.engine.errors import BAD_ARGUMENTS, EngineError
from auditlane.local.engine.refusals import check_structure
from auditlane.local.engine.request import Request
from auditlane.local.engine.spool import Spool
from auditlane.local.engine.statements import Statement

_serial = itertools.count()


def insert(connection: Connection, statement: Statement, data: Spool, request: Request) -> Result:
    """Run the INSERT over its data. Raises EngineError; then none of the rows of a block is stored."""
    if statement.input is None:
        return connection.run(statement.from_file(data.path), params=request.params)
    # input() by file() would need the grant to read any file. The statement's FROM INFILE is silently ignored.
    table = f"_auditlane_input_{next(_serial)}"
    load(connection, table, statement.input.structure, statement.format, data)
    return connection.run(statement.from_table(table), params=request.params)


def load(connection: Connection, table: str, structure: str, name: str, data: Spool) -> None:
    """Make a temporary table of this connection out of data in a format."""
    check_structure(structure)
    if not name.isidentifier():
        raise EngineError(BAD_ARGUMENTS, f"{name!r} is not the name of a format")
    connection.run(f"CREATE TEMPORARY TABLE {identifier(table)} ({structure}\n) ENGINE = Memory")
    connection.run(f"INSERT INTO {identifier(table)} FROM INFILE '{data.path}' FORMAT {name}")
