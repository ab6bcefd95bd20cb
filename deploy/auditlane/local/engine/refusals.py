"""Which statements are refused, and why: those that would reach outside the data directory or wedge it.

The grants in the engine's configuration close most of these doors as well; a refusal here says so in plain words, and
covers what grants do not: the scalar function file(), engines that throw only after writing metadata, SHUTDOWN.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditlane.local.engine.errors import NOT_IMPLEMENTED, SYNTAX_ERROR, EngineError
from auditlane.local.engine.statements import Statement
from auditlane.local.engine.tokens import Token, tokens

# Engines whose data live in the data directory, or nowhere. KeeperMap, Distributed, Kafka and the rest are not here.
_TABLE_ENGINES = """
    MergeTree ReplacingMergeTree SummingMergeTree AggregatingMergeTree CollapsingMergeTree VersionedCollapsingMergeTree
    CoalescingMergeTree GraphiteMergeTree Memory Null View MaterializedView Merge Buffer Set Join Log TinyLog StripeLog
    GenerateRandom Alias
"""
TABLE_ENGINES = _TABLE_ENGINES.split()
DATABASE_ENGINES = ["Atomic", "Memory"]
_ENGINES = {name.lower() for name in TABLE_ENGINES + DATABASE_ENGINES}

# Functions that read or write outside the tables, or run programs. `disk` is MergeTree's inline disk definition.
_OUTSIDE = """
    arrowstream azureblobstorage azureblobstoragecluster bigquery catboostevaluate cluster clusterallreplicas cosn
    deltalake deltalakeazure deltalakeazurecluster deltalakecluster deltalakelocal deltalakes3 deltalakes3cluster disk
    eval executable file filecluster filesystem gcs hdfs hdfscluster hudi hudicluster iceberg icebergazure
    icebergazurecluster icebergcluster iceberghdfs iceberghdfscluster iceberglocal iceberglocalcluster icebergs3
    icebergs3cluster jdbc mongodb mysql odbc oss paimon paimonazure paimonazurecluster paimoncluster paimonhdfs
    paimonhdfscluster paimonlocal paimons3 paimons3cluster postgresql prometheusquery prometheusqueryrange python redis
    remote remotesecure s3 s3cluster sqlite url urlcluster ytsaurus
"""
_FUNCTIONS = frozenset(_OUTSIDE.split())
_SYSTEM = frozenset({"SHUTDOWN", "KILL", "SUSPEND"})
_SYSTEM_DATABASES = frozenset({"default", "system", "information_schema"})
_ACCESS = frozenset({"USER", "ROLE", "POLICY", "QUOTA", "PROFILE"})
_TRANSACTIONS = frozenset({"BEGIN", "COMMIT", "ROLLBACK"})
_READING = frozenset(
    {"SELECT", "WITH", "FROM", "(", "VALUES", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK"}
)


def check(statement: Statement) -> None:
    """Raise EngineError when the statement is one that this process does not run."""
    found = statement.tokens
    if statement.verb != "INSERT" or not statement.takes_data:
        _one_statement(found)
    _outside(found)
    _lifecycle(statement.verb, found)


def check_structure(structure: str) -> None:
    """Raise EngineError when a table's structure, as input() and external tables give it, is more than columns."""
    found = list(tokens(structure.encode()))
    depth = 0
    for token in found:
        if token.kind == "symbol":
            depth += (token.text in b"([{") - (token.text in b")]}")
        if depth < 0 or token.is_symbol(b";") or token.kind == "broken":
            break
    else:
        if depth == 0:
            _outside(found)
            return
    raise EngineError(SYNTAX_ERROR, "The structure of the data is not a list of columns")


def check_reading(statement: Statement) -> bool:
    """Whether a GET may run it: ClickHouse lets GET only read."""
    return statement.verb in _READING


def _refuse(message: str) -> EngineError:
    return EngineError(NOT_IMPLEMENTED, message)


def _one_statement(found: Sequence[Token]) -> None:
    if any(token.is_symbol(b";") for token in found):
        raise EngineError(SYNTAX_ERROR, "Multi-statements are not allowed")
    if any(token.kind == "broken" for token in found):
        raise EngineError(SYNTAX_ERROR, "A quoted string or name is not closed")


def _outside(found: Sequence[Token]) -> None:
    for token, following in zip(found, [*found[1:], None], strict=True):
        pair = (token.upper, following.upper if following else "")
        if pair == ("INTO", "OUTFILE"):
            raise _refuse("INTO OUTFILE is refused: the result comes in the response")
        if pair == ("FROM", "INFILE"):
            raise _refuse("FROM INFILE is refused: send the data in the body of the request")
        if following and following.is_symbol(b"(") and token.name.lower() in _FUNCTIONS:
            raise _refuse(f"{token.name}() is refused here: it reads or writes outside of this engine's tables")


def _lifecycle(verb: str, found: Sequence[Token]) -> None:
    words = [token.upper for token in found]
    second = words[1] if len(words) > 1 else ""
    if verb == "SYSTEM" and second in _SYSTEM:
        raise _refuse(
            f"SYSTEM {second} is refused: it would signal every process of the group; stop the process instead"
        )
    if verb in _TRANSACTIONS:
        raise _refuse("Transactions are not supported by the embedded engine")
    if verb in {"CREATE", "ATTACH", "ALTER", "DROP"}:
        _objects(verb, words)
    if verb in {"CREATE", "ATTACH", "REPLACE", "ALTER"}:
        _engines(found)
    if verb in {"DROP", "DETACH", "RENAME", "ATTACH", "TRUNCATE"} and "DATABASE" in words[:3]:
        names = {token.name.lower() for token in found[words.index("DATABASE") + 1 :]}
        if names & _SYSTEM_DATABASES:
            raise _refuse(f"{verb} DATABASE is refused for default, system and information_schema")
    if verb == "ATTACH" and "FROM" in words:
        raise _refuse("ATTACH … FROM a path is refused")
    for index, word in enumerate(words[:-1]):
        if verb not in {"SELECT", "WITH", "INSERT"} and word == "ON" and words[index + 1] == "CLUSTER":
            raise _refuse("ON CLUSTER is not supported: the embedded engine is one node without a Keeper")


def _objects(verb: str, words: Sequence[str]) -> None:
    head = words[1:5]
    if "TEMPORARY" in head and verb == "CREATE":
        raise _refuse("Temporary tables are not kept between requests here: create an ordinary table")
    kind = next((word for word in head if word in _ACCESS), None)
    if kind and not {"TABLE", "VIEW", "DATABASE", "FUNCTION"} & set(head):
        raise _refuse("Users, roles, quotas and row policies are not supported by the embedded engine")
    if "DICTIONARY" in head and verb != "DROP":
        raise _refuse("Dictionaries are not supported by the embedded engine")


def _engines(found: Sequence[Token]) -> None:
    for index, token in enumerate(found[:-1]):
        if token.upper != "ENGINE":
            continue
        named = found[index + 2] if found[index + 1].is_symbol(b"=") and index + 2 < len(found) else found[index + 1]
        if not named.name or named.name.lower() in _ENGINES:
            continue
        if found[index - 1].is_symbol(b".") or found[index + 1].is_symbol(b","):  # a column that is called engine
            continue
        if found[index + 1].is_symbol(b"=") or (
            (following := found[index + 2 : index + 3]) and following[0].is_symbol(b"(")
        ):
            raise _refuse(f"Engine {named.name} is refused here: allowed are {', '.join(TABLE_ENGINES)}")
