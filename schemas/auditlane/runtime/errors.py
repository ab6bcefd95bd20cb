"""The error tree, and the one place that maps it to HTTP and to exit codes.

    AuditlaneError               what nothing below names
    ├── ConfigError              settings, command-line arguments, files an operator wrote
    │   └── MissingExtra         a subcommand whose optional dependencies are not installed
    ├── InvalidInput             what a caller sent
    │   ├── InvalidEvent         an event that breaks the contract; names the field
    │   │   └── EventTooLarge    an event that is larger than the limit
    │   ├── BodyTooLarge         a request's body that is larger than the limit
    │   ├── MediaTypeUnsupported  a request's body in a form that is not read there
    │   ├── InvalidFilter        an unknown or malformed filter
    │   ├── InvalidCursor        a cursor that we did not sign, or for another query
    │   ├── RangeNotSatisfiable  a range of a file's bytes of which none is there
    │   ├── QueryTooLarge        a query that needed more time or memory than it may
    │   ├── PreconditionMissing  a replacement that does not say which version it replaces
    │   ├── ImportIncomplete     an import in which some lines were refused
    │   └── ReplayIncomplete     a replay after which some dead letters stay
    ├── Unauthenticated          no credential, or one that does not verify
    │   └── TokenExpired         it verified once
    ├── Forbidden                a credential without the permission
    │   ├── WrongTenant          a credential for another tenant
    │   └── LogsDisabled         audit logs are switched off for this tenant; its events are recorded all the same
    ├── NotFound                 there is no such event, key or dead letter for this caller
    ├── Conflict                 somebody else was first, or the thing exists already
    │   ├── PreconditionFailed   what was to be replaced was changed by somebody else meanwhile
    │   ├── EventsConflict       events of one tenant, id and time have different contents; all are kept
    │   ├── FieldConflict        a field that is there already, or that cannot become what was asked for
    │   ├── TooManyVersions      a contract was changed as often as it may be
    │   ├── TooManyExports       a tenant has as many export jobs as it may have
    │   ├── AlreadyRunning       another process owns the data directory
    │   ├── PortInUse            a port that was asked for is taken
    │   ├── Drift                a topic, subject or table differs from what the settings say
    │   └── SchemaTooNew         the store was migrated by a newer auditlane
    ├── RateLimited              a client that sends more than it may; nothing was accepted
    ├── BufferFull               the SDK's buffer has no room; nothing was accepted
    ├── DeliveryFailed           Kafka did not acknowledge; names the event
    ├── ClientClosed             the client was used after `close`
    ├── Unavailable              a part that we depend on is away; a retry may succeed
    │   ├── Busy                 this process works on as many requests as it takes at once
    │   ├── KafkaUnavailable     no broker answers
    │   ├── RegistryUnavailable  the schema registry does not answer
    │   ├── StoreUnavailable     ClickHouse does not answer
    │   └── IssuerUnavailable    the keys of a token issuer cannot be had
    ├── RegistryRefused          the registry answered, and said no
    │   ├── SchemaNotFound       no such id, subject or version
    │   └── SchemaIncompatible   a version that older readers could not follow
    ├── StoreRefused             ClickHouse answered, and said no
    ├── PartFailed               an embedded part could not be started
    ├── Halted                   a partition stopped because going on would lose or double events
    └── Unreconciled             Kafka and the store do not agree: something is missing, extra or doubled

Every error carries a stable `code`; the message says what is wrong and, where we know it, `fix` says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from auditlane.runtime.messages import sayable


class AuditlaneError(Exception):
    """The root of every error that we raise on purpose."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, *, fix: str = "", field: str = "") -> None:
        message = sayable(message)
        super().__init__(message)
        self.message = message
        self.fix = sayable(fix)
        self.field = sayable(field)

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
    """`column` is the place in a query of the query language, counted from 1.

    `reason` is stable, and `arguments` are what its sentence is about: with them it can be said in any language. Both
    are empty where a filter is wrong in another way than a query can be.
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
    """`size` is how many bytes there are."""

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


class RegistryUnavailable(Unavailable):
    code = "REGISTRY_UNAVAILABLE"


class StoreUnavailable(Unavailable):
    code = "STORE_UNAVAILABLE"


class IssuerUnavailable(Unavailable):
    code = "ISSUER_UNAVAILABLE"


class RegistryRefused(AuditlaneError):
    """`status` is the HTTP status of the answer, 0 where it is not known."""

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


# (HTTP status, exit code) of each branch; a class without a line of its own takes its parent's.
# Exit codes: 1 failed, 2 usage or configuration, 3 bad input, 4 not permitted, 5 conflict, 6 a part is away.
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
    DeliveryFailed: (503, 6),
    Unavailable: (503, 6),
    RegistryRefused: (502, 1),
    StoreRefused: (502, 1),
    Halted: (500, 1),
}


def _mapped(error: type[AuditlaneError]) -> tuple[int, int]:
    return next(_MAPPING[parent] for parent in error.__mro__ if parent in _MAPPING)


def http_status(error: AuditlaneError | type[AuditlaneError]) -> int:
    """The HTTP status an error answers with."""
    return _mapped(error if isinstance(error, type) else type(error))[0]


def exit_code(error: AuditlaneError | type[AuditlaneError]) -> int:
    """The process exit code an error ends a command with."""
    return _mapped(error if isinstance(error, type) else type(error))[1]
