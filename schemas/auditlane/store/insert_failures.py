"""Decides how to respond to a failed insert: retry, retry more slowly, retry after a check, or halt. The rows are never
dropped.
"""

from __future__ import annotations

from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from auditlane.runtime.remedy import Failure, Remedy
from auditlane.store.client import first_line

# ClickHouse's error codes (src/Common/ErrorCodes.cpp). After any other code, the insert is retried.
SLOWER = {
    159: "TIMEOUT_EXCEEDED",
    160: "TOO_SLOW",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    209: "SOCKET_TIMEOUT",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",  # the replica has lost Keeper, or has just started
    252: "TOO_MANY_PARTS",
    285: "TOO_FEW_LIVE_REPLICAS",
    745: "SERVER_OVERLOADED",
}
# Quorum inserts into one table are sequential, and another worker's insert is in progress.
WAIT = {286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE"}
# Keeper or the quorum did not respond while the insert was being committed: its rows may or may not be stored.
LOOK = {
    244: "UNEXPECTED_ZOOKEEPER_ERROR",
    319: "UNKNOWN_STATUS_OF_INSERT",
}
# The block or the statement itself is rejected, so a retry would fail in the same way.
HALT = {
    6: "CANNOT_PARSE_TEXT",
    8: "THERE_IS_NO_COLUMN",
    10: "NOT_FOUND_COLUMN_IN_BLOCK",
    16: "NO_SUCH_COLUMN_IN_TABLE",
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    33: "CANNOT_READ_ALL_DATA",
    41: "CANNOT_PARSE_DATETIME",
    44: "ILLEGAL_COLUMN",
    47: "UNKNOWN_IDENTIFIER",
    53: "TYPE_MISMATCH",
    62: "SYNTAX_ERROR",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    72: "CANNOT_PARSE_NUMBER",
    117: "INCORRECT_DATA",
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    376: "CANNOT_PARSE_UUID",
    441: "CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING",
    469: "VIOLATED_CONSTRAINT",
    675: "CANNOT_PARSE_IPV4",
    676: "CANNOT_PARSE_IPV6",
    691: "UNKNOWN_ELEMENT_OF_ENUM",
}


_CLASSES: Final = (
    (Remedy.halt, HALT, "ClickHouse refuses the rows"),
    (Remedy.retry_slower, SLOWER, "ClickHouse accepts no more inserts now"),
    (Remedy.wait, WAIT, "ClickHouse is busy with another insert"),
    (Remedy.look, LOOK, "It is unknown whether ClickHouse stored the rows"),
)


def classify(error: BaseException) -> Failure:
    """Classify an insert's error. An error without a ClickHouse code comes from the connection and is retried."""
    code = getattr(error, "code", None) if isinstance(error, ClickHouseError) else None
    message = first_line(error)
    for remedy, names, what in _CLASSES:
        if code in names:
            return Failure(remedy, f"{what} ({names[code]}): {message}", names[code])
    return Failure(Remedy.retry, f"ClickHouse: {message}", f"CODE_{code}" if code else type(error).__name__)
