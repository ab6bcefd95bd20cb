"""The audit event. Its Avro schema is `event.avsc`, derived from this model by `avro.derive`; a test compares them."""

from __future__ import annotations

import functools
import ipaddress
import uuid
from datetime import UTC, datetime
from enum import Enum, StrEnum
from numbers import Number
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from auditlane.contract.json_values import json_text
from auditlane.contract.tenants import is_tenant
from auditlane.runtime.errors import InvalidEvent
from auditlane.runtime.ids import uuid7
from auditlane.runtime.messages import plain

_ADDRESSES: Final = (ipaddress.IPv4Address, ipaddress.IPv6Address)
_LONGEST_IP: Final = len("0000:0000:0000:0000:0000:ffff:255.255.255.255")


class Outcome(StrEnum):
    """The result of the action, in the order of the Avro enum and ClickHouse's enum."""

    unknown = "unknown"
    success = "success"
    failure = "failure"
    denied = "denied"


class Severity(StrEnum):
    """The importance of the action, in the order of the Avro enum and ClickHouse's enum."""

    Info = "Info"
    Low = "Low"
    Medium = "Medium"
    High = "High"
    Critical = "Critical"
    Error = "Error"


# The members' values, for type checkers and editors.
OutcomeName = Literal["unknown", "success", "failure", "denied"]
SeverityName = Literal["Info", "Low", "Medium", "High", "Critical", "Error"]


def _event_id(value: object) -> object:
    try:
        return str(value if isinstance(value, uuid.UUID) else uuid.UUID(value))  # type: ignore[arg-type]
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f"must be a UUID such as {uuid.UUID(int=0)}") from None


def _tenant_id(value: str) -> str:
    if not is_tenant(value):
        raise ValueError("must be 1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or digit")
    return value


def _time(value: object) -> object:
    """Refuse numbers, also as text or bytes, since they could be seconds or milliseconds."""
    if isinstance(value, Number | bytes | bytearray) or (isinstance(value, str) and _is_number(value)):
        raise ValueError("must be text, such as 2024-05-01T12:00:00Z")
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be within the years 1 to 9999 in UTC") from None


def _encodable(value: str) -> str:
    if value.isascii():  # true for most strings, and checks only one bit
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("has a character that UTF-8 cannot encode (a lone surrogate)") from None
    return value


def _not_blank(value: str) -> str:
    if value.isspace():
        raise ValueError("must have at least 1 character that is not a space")
    return value


def parse_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an IP address. Returns None if it is invalid or scoped (`fe80::1%eth0`): ClickHouse stores no scope."""
    return None if "%" in text or len(text) > _LONGEST_IP else _parsed(text)


@functools.lru_cache(maxsize=4_096)  # a tenant's users come from few addresses, and parsing one takes 5 µs
def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _ip(value: object) -> object:
    if value is None or (isinstance(value, str) and not value):
        return None
    text = value if isinstance(value, str) else str(value) if isinstance(value, _ADDRESSES) else ""
    if parse_ip(text) is None:
        raise ValueError("must be an IPv4 or IPv6 address")
    return text


def _choice(value: object) -> object:
    """Accept only text and our enums; other values may not even be comparable."""
    if isinstance(value, str):
        return value if isinstance(value, Outcome | Severity) else str.__str__(value)
    raise ValueError("must be text")


def _not_empty(value: object) -> object:
    return None if isinstance(value, str) and not value else value


def _json_text(value: object) -> object:
    """Convert `before` or `after` to JSON text; a string is taken to be JSON already."""
    given = value is None or (isinstance(value, str) and not isinstance(value, Enum))
    return value if given else json_text(value)


def _place(problem: ErrorDetails) -> str:
    return ".".join(map(str, problem["loc"]))


def _sentence(problem: ErrorDetails) -> str:
    """Describe one invalid field and the expected form."""
    field, words = _place(problem), plain(problem)
    return f"{field} {words}" if problem["type"] == "missing" else f"{field}: {words}"


Text = Annotated[str, AfterValidator(_encodable)]
JsonText = Annotated[Text | None, BeforeValidator(_json_text)]


class AuditEvent(BaseModel):
    """One action, in the tenant's terms. Field order is the order in Avro.

    `fields` holds the tenant's custom fields by name; in Avro they are on the same level as the base fields.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    event_id: Annotated[str, BeforeValidator(_event_id)] = Field(default_factory=uuid7)
    tenant_id: Annotated[Text, AfterValidator(_tenant_id)]
    occurred_at: Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(_utc)] = Field(
        default_factory=lambda: datetime.now(UTC)
    )
    action: Annotated[Text, Field(min_length=1), AfterValidator(_not_blank)]
    actor_id: Text = ""
    actor_type: Text = "user"
    actor_name: Text | None = None
    on_behalf_of: Text | None = None
    resource: Text = ""
    resource_id: Text | None = None
    outcome: Annotated[Outcome, BeforeValidator(_choice)] = Outcome.unknown
    severity: Annotated[Severity, BeforeValidator(_choice)] = Severity.Info
    description: Text | None = None
    ip: Annotated[str | None, BeforeValidator(_ip)] = None
    user_agent: Annotated[Text | None, BeforeValidator(_not_empty)] = None
    request_id: Text | None = None
    before: JsonText = None
    after: JsonText = None
    source: Text = ""
    metadata: dict[Text, Text] = Field(default_factory=dict)
    fields: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def checked(cls, values: dict[str, Any]) -> AuditEvent:
        """Build an event. Raises InvalidEvent, which names the first invalid field and lists all of them."""
        try:
            return cls(**values)
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False)
            raise InvalidEvent(
                "The event is not valid: " + "; ".join(map(_sentence, problems)), field=_place(problems[0])
            ) from error
        except MemoryError:
            raise
        except Exception as error:  # raised by one of a value's methods
            field = next((name for name, value in values.items() if cls._raises(name, value)), "")
            raise InvalidEvent(
                f"The event is not valid: cannot read {field}, since its value raised {type(error).__name__}.",
                field=field,
            ) from error

    @classmethod
    def _raises(cls, name: str, value: object) -> bool:
        """Return whether the value's own code raises when it is read."""
        try:
            cls(**{"tenant_id": "a", "action": "a", name: value})
        except ValidationError:
            pass
        except Exception:  # the value's own code may raise anything; the caller reports the field's name
            return True
        return False

    def record(self) -> dict[str, Any]:
        """Return the Avro record's values: enums as symbols, the time as a datetime, custom fields at the top level."""
        values = {name: getattr(self, name) for name in BASE_FIELDS}
        values["outcome"], values["severity"] = self.outcome.value, self.severity.value
        return values | self.fields


BASE_FIELDS: tuple[str, ...] = tuple(name for name in AuditEvent.model_fields if name != "fields")
