"""The error tree, and its only mapping to HTTP statuses and exit codes.

    AuditlaneError               any error not listed below
    ├── ConfigError              an invalid setting, command-line argument or operator's file
    │   └── MissingExtra         the optional dependencies of a subcommand are not installed
    ├── InvalidInput             invalid input from a caller
    │   ├── InvalidEvent         an event that violates its contract; names the field
    │   │   └── EventTooLarge    an event that exceeds the size limit
    │   ├── BodyTooLarge         a request body that exceeds the size limit
    │   ├── MediaTypeUnsupported  a request body of a media type that the route does not accept
    │   ├── InvalidFilter        an unknown or malformed filter
    │   ├── InvalidCursor        a cursor with an invalid signature, or from another query
    │   ├── RangeNotSatisfiable  a byte range that lies outside the file
    │   ├── QueryTooLarge        a query that exceeded its time or memory limit
    │   ├── PreconditionMissing  a replacement that does not name the version it replaces
    │   ├── ImportIncomplete     an import in which some lines were rejected
    │   └── ReplayIncomplete     a replay that left some dead letters open
    ├── Unauthenticated          a missing or invalid credential
    │   └── TokenExpired         a token that was valid and has expired
    ├── Forbidden                a credential without the required permission
    │   ├── WrongTenant          another tenant's credential
    │   └── LogsDisabled         audit logs are switched off for this tenant; its events are still recorded
    ├── NotFound                 this caller has no such event, key or dead letter
    ├── Conflict                 another caller was first, or the object already exists
    │   ├── PreconditionFailed   the object to replace was changed by another caller in the meantime
    │   ├── EventsConflict       events with the same tenant, id and time differ in content; all are kept
    │   ├── FieldConflict        a field that already exists, or cannot be changed as requested
    │   ├── TooManyVersions      a contract that has reached its limit of versions
    │   ├── TooManyExports       a tenant that has reached its limit of export jobs
    │   ├── AlreadyRunning       another process owns the data directory
    │   ├── PortInUse            a requested port is already in use
    │   ├── Drift                a topic, subject or table differs from the settings
    │   └── SchemaTooNew         the store was migrated by a newer auditlane
    ├── RateLimited              a client that exceeded its rate limit; nothing was accepted
    ├── BufferFull               the SDK's buffer is full; nothing was accepted
    │   └── SpoolFull            the SDK's spool or its disk is full; nothing was accepted
    ├── SpoolFailed              the SDK's spool cannot be written; nothing was accepted
    ├── DeliveryFailed           an event was not acknowledged; names it
    ├── ClientClosed             the client was used after `close`
    ├── Unavailable              a dependency is unavailable; a retry may succeed
    │   ├── Busy                 this process has reached its limit of concurrent requests
    │   ├── KafkaUnavailable     no broker responds
    │   ├── GatewayUnavailable   the gateway, or what is at its address, does not accept the SDK's events now
    │   ├── RegistryUnavailable  the schema registry does not respond
    │   ├── StoreUnavailable     ClickHouse does not respond
    │   └── IssuerUnavailable    a token issuer's signing keys cannot be fetched
    ├── RegistryRefused          the schema registry refused the request
    │   ├── SchemaNotFound       no such id, subject or version
    │   └── SchemaIncompatible   a version that breaks the subject's compatibility level
    ├── StoreRefused             ClickHouse refused the request
    ├── PartFailed               an embedded service could not be started
    ├── Halted                   a partition is halted, since continuing would lose or duplicate events
    └── Unreconciled             Kafka and the store disagree: events are missing, extra or duplicated

Every error carries a stable `code`. The message states what is wrong and `fix`, where one is known, what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from auditlane.runtime.messages import escape_surrogates


class AuditlaneError(Exception):
    """Base class of every error that auditlane raises deliberately."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, *, fix: str = "", field: str = "") -> None:
        message = escape_surrogates(message)
        super().__init__(message)
        self.message = message
        self.fix = escape_surrogates(fix)
        self.field = escape_surrogates(field)

    def __str__(self) -> str:
        stop = "" if not self.fix or self.message.endswith((".", "!", "?", ":", ")")) else "."
        return f"{self.message}{stop} {self.fix}".rstrip()


class ConfigError(AuditlaneError):
    code = "CONFIG_INVALID"


class MissingExtra(ConfigError):
    code = "EXTRA_MISSING"


class InvalidInput(AuditlaneError):
    code = "INPUT_INVALID"


class InvalidEvent(InvalidInput):
    code = "EVENT_INVALID"


class EventTooLarge(InvalidEvent):
    code = "EVENT_TOO_LARGE"


class BodyTooLarge(InvalidInput):
    code = "TOO_LARGE"


class MediaTypeUnsupported(InvalidInput):
    code = "MEDIA_TYPE_UNSUPPORTED"


class InvalidFilter(InvalidInput):
    """A filter is unknown, or a query in the query language is malformed.

    `column` is the error's position in the query, counted from 1. `reason` is a stable identifier, and `arguments` are
    the values in its sentence, so that the sentence can be translated. Outside the query language, both are empty.
    """

    code = "FILTER_INVALID"

    def __init__(
        self,
        message: str,
        *,
        fix: str = "",
        field: str = "",
        column: int | None = None,
        reason: str = "",
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, fix=fix, field=field)
        self.column = column
        self.reason = reason
        self.arguments = dict(arguments or {})


class InvalidCursor(InvalidInput):
    code = "CURSOR_INVALID"


class RangeNotSatisfiable(InvalidInput):
    """A byte range lies outside the file, which is `size` bytes long."""

    code = "RANGE_NOT_SATISFIABLE"

    def __init__(self, message: str, *, fix: str = "", field: str = "", size: int = 0) -> None:
        super().__init__(message, fix=fix, field=field)
        self.size = size


class QueryTooLarge(InvalidInput):
    code = "QUERY_TOO_LARGE"


class PreconditionMissing(InvalidInput):
    code = "PRECONDITION_REQUIRED"


class ImportIncomplete(InvalidInput):
    code = "IMPORT_INCOMPLETE"


class ReplayIncomplete(InvalidInput):
    code = "REPLAY_INCOMPLETE"


class Unauthenticated(AuditlaneError):
    code = "UNAUTHENTICATED"


class TokenExpired(Unauthenticated):
    code = "TOKEN_EXPIRED"


class Forbidden(AuditlaneError):
    code = "FORBIDDEN"


class WrongTenant(Forbidden):
    code = "TENANT_FORBIDDEN"


class LogsDisabled(Forbidden):
    code = "AUDIT_LOGS_DISABLED"


class NotFound(AuditlaneError):
    code = "NOT_FOUND"


class Conflict(AuditlaneError):
    code = "CONFLICT"


class PreconditionFailed(Conflict):
    code = "PRECONDITION_FAILED"


class EventsConflict(Conflict):
    code = "EVENTS_CONFLICT"


class FieldConflict(Conflict):
    code = "FIELD_CONFLICT"


class TooManyVersions(Conflict):
    code = "TOO_MANY_VERSIONS"


class TooManyExports(Conflict):
    code = "TOO_MANY_EXPORTS"


class AlreadyRunning(Conflict):
    code = "ALREADY_RUNNING"


class PortInUse(Conflict):
    code = "PORT_IN_USE"


class Drift(Conflict):
    code = "DRIFT"


class SchemaTooNew(Conflict):
    code = "STORE_TOO_NEW"


class RateLimited(AuditlaneError):
    code = "RATE_LIMITED"

    def __init__(self, message: str, *, fix: str = "", field: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(message, fix=fix, field=field)
        self.retry_after_s = retry_after_s


class BufferFull(AuditlaneError):
    code = "BUFFER_FULL"


class SpoolFull(BufferFull):
    code = "SPOOL_FULL"


class SpoolFailed(AuditlaneError):
    code = "SPOOL_FAILED"


class DeliveryFailed(AuditlaneError):
    code = "DELIVERY_FAILED"


class ClientClosed(AuditlaneError):
    code = "CLIENT_CLOSED"


class Unavailable(AuditlaneError):
    code = "UNAVAILABLE"


class Busy(Unavailable):
    code = "BUSY"


class KafkaUnavailable(Unavailable):
    code = "KAFKA_UNAVAILABLE"


class GatewayUnavailable(Unavailable):
    code = "GATEWAY_UNAVAILABLE"


class RegistryUnavailable(Unavailable):
    code = "REGISTRY_UNAVAILABLE"


class StoreUnavailable(Unavailable):
    code = "STORE_UNAVAILABLE"


class IssuerUnavailable(Unavailable):
    code = "ISSUER_UNAVAILABLE"


class RegistryRefused(AuditlaneError):
    """The registry refused a request. `status` is the response's HTTP status, or 0 if unknown."""

    code = "REGISTRY_REFUSED"

    def __init__(self, message: str, *, fix: str = "", field: str = "", status: int = 0) -> None:
        super().__init__(message, fix=fix, field=field)
        self.status = status


class SchemaNotFound(RegistryRefused):
    code = "SCHEMA_NOT_FOUND"


class SchemaIncompatible(RegistryRefused):
    code = "SCHEMA_INCOMPATIBLE"


class StoreRefused(AuditlaneError):
    code = "STORE_REFUSED"


class PartFailed(AuditlaneError):
    code = "PART_FAILED"


class Halted(AuditlaneError):
    code = "PARTITION_HALTED"


class Unreconciled(AuditlaneError):
    code = "UNRECONCILED"


# (HTTP status, exit code) of each branch. A class without an entry inherits its parent's. Exit codes: 1 failed, 2 usage
# or configuration, 3 bad input, 4 not permitted, 5 conflict, 6 unavailable.
_MAPPING: dict[type[AuditlaneError], tuple[int, int]] = {
    AuditlaneError: (500, 1),
    ConfigError: (500, 2),
    InvalidInput: (400, 3),
    EventTooLarge: (413, 3),
    BodyTooLarge: (413, 3),
    PreconditionMissing: (428, 3),
    MediaTypeUnsupported: (415, 3),
    RangeNotSatisfiable: (416, 3),
    Unauthenticated: (401, 4),
    Forbidden: (403, 4),
    NotFound: (404, 3),
    Conflict: (409, 5),
    RateLimited: (429, 6),
    PreconditionFailed: (412, 5),
    BufferFull: (503, 6),
    SpoolFailed: (503, 6),
    DeliveryFailed: (503, 6),
    Unavailable: (503, 6),
    RegistryRefused: (502, 1),
    StoreRefused: (502, 1),
    Halted: (500, 1),
}


def _mapped(error: type[AuditlaneError]) -> tuple[int, int]:
    return next(_MAPPING[parent] for parent in error.__mro__ if parent in _MAPPING)


def http_status(error: AuditlaneError | type[AuditlaneError]) -> int:
    """Return the HTTP status for this error."""
    return _mapped(error if isinstance(error, type) else type(error))[0]


def exit_code(error: AuditlaneError | type[AuditlaneError]) -> int:
    """Return the exit code for a command that fails with this error."""
    return _mapped(error if isinstance(error, type) else type(error))[1]
