"""What a failed insert means: try again, more slowly or after a look, or stop the partition. Never: drop the rows."""

from __future__ import annotations

from clickhouse_connect.driver.exceptions import ClickHouseError

from auditlane.runtime.remedy import Failure, Remedy
from auditlane.store.client import first_line

# ClickHouse's error codes (src/Common/ErrorCodes.cpp). A code that is in no list is tried again.
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
# Quorum inserts into one table follow one another: another worker's is on its way.
WAIT = {286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE"}
# Keeper or the quorum did not answer while the insert was being committed: its rows may be stored, or may get lost.
LOOK = {
    244: "UNEXPECTED_ZOOKEEPER_ERROR",
    319: "UNKNOWN_STATUS_OF_INSERT",
}
# The block or the statement itself is refused: the same would happen again.
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


def classify(error: BaseException) -> Failure:
    """A failure of talking to ClickHouse; without a code of its own it is the connection's, and tried again."""
    code = getattr(error, "code", None) if isinstance(error, ClickHouseError) else None
    message = first_line(error)
    if code in HALT:
        return Failure(Remedy.halt, f"ClickHouse refuses the rows ({HALT[code]}): {message}")
    if code in SLOWER:
        return Failure(Remedy.retry_slower, f"ClickHouse takes no more for now ({SLOWER[code]}): {message}")
    if code in WAIT:
        return Failure(Remedy.wait, f"ClickHouse is busy with another insert ({WAIT[code]}): {message}")
    if code in LOOK:
        return Failure(Remedy.look, f"ClickHouse does not say whether the rows are stored ({LOOK[code]}): {message}")
    return Failure(Remedy.retry, f"ClickHouse: {message}")
