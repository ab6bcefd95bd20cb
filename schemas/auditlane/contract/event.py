"""The audit event. Its Avro schema, `event.avsc`, is derived from this model by `avro.derive`. A test compares them."""

from __future__ import annotations

import functools
import ipaddress
import uuid
from datetime import UTC, datetime
from enum import Enum, StrEnum
from numbers import Number
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from auditlane.contract.declared_values import contract_value
from auditlane.contract.json_values import json_text
from auditlane.contract.tenants import is_tenant
from auditlane.runtime.errors import InvalidEvent
from auditlane.runtime.ids import uuid7
from auditlane.runtime.messages import did_you_mean, plain

_ADDRESSES: Final = (ipaddress.IPv4Address, ipaddress.IPv6Address)
_LONGEST_IP: Final = len("0000:0000:0000:0000:0000:ffff:255.255.255.255")


class Outcome(StrEnum):
    """The result of the action. The order is the same as in the Avro enum and ClickHouse's enum."""

    unknown = "unknown"
    success = "success"
    failure = "failure"
    denied = "denied"


class Severity(StrEnum):
    """The importance of the action. The order is the same as in the Avro enum and ClickHouse's enum."""

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
    """Reject numbers, even as text or bytes, since a number could mean seconds or milliseconds."""
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
    """Parse an IP address. Returns None if it is invalid or scoped (`fe80::1%eth0`), since ClickHouse cannot store a
    scope.
    """
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
    """Accept only text and auditlane's own enums, since other values might not even support comparison."""
    if isinstance(value, str):
        return value if isinstance(value, Outcome | Severity) else str.__str__(value)
    raise ValueError("must be text")


def _not_empty(value: object) -> object:
    return None if isinstance(value, str) and not value else value


def _json_text(value: object) -> object:
    """Convert `before` or `after` to JSON text. A string is assumed to be JSON already."""
    given = value is None or (isinstance(value, str) and not isinstance(value, Enum))
    return value if given else json_text(value)


def _place(problem: ErrorDetails) -> str:
    return ".".join(map(str, problem["loc"]))


def _sentence(problem: ErrorDetails) -> str:
    field, words = _place(problem), plain(problem)
    return f"{field} {words}" if problem["type"] == "missing" else f"{field}: {words}"


def _invalid(kind: type[AuditEvent], error: ValidationError) -> InvalidEvent:
    """Return an error that names the first invalid field and lists all of them."""
    problems = error.errors(include_input=False, include_url=False)
    unknown = [str(problem["loc"][0]) for problem in problems if problem["type"] == "extra_forbidden"]
    return InvalidEvent(
        "The event is not valid: " + "; ".join(map(_sentence, problems)),
        field=_place(problems[0]),
        fix=did_you_mean(unknown[0], kind.model_fields) if unknown and kind is not AuditEvent else "",
    )


def _init_typed(self: AuditEvent, /, **values: Any) -> None:
    """Validate as BaseModel does, but raise InvalidEvent. Its message contains no values, since it may be logged."""
    try:
        self.__pydantic_validator__.validate_python(values, self_instance=self)
    except ValidationError as error:
        raise _invalid(type(self), error) from None


_init_typed.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # pydantic need not call it to validate

Text = Annotated[str, AfterValidator(_encodable)]
if TYPE_CHECKING:
    JsonText = Any  # the type that callers pass, which validation turns into text
else:
    JsonText = Annotated[Text | None, BeforeValidator(_json_text)]


class AuditEvent(BaseModel):
    """One action, in the tenant's terms. The fields are in the same order as in Avro.

    `fields` contains the tenant's custom fields by name. In Avro, they are on the same level as the base fields.

    A subclass declares an event with its own custom fields, action and defaults:

        class DocumentDeleted(AuditEvent, action="document.deleted", resource="document", outcome="success"):
            project: str

        audit.emit(DocumentDeleted(tenant_id="acme", resource_id="d-98765", project="moon"))

    `auditlane schema sync` registers the fields. Defining a class raises InvalidInput for a field that no contract can
    have.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    _declared: ClassVar[tuple[str, ...]] = ()  # the fields that a subclass adds

    event_id: Annotated[str, BeforeValidator(_event_id)] = Field(default_factory=uuid7)
    if TYPE_CHECKING:  # optional for subclasses; the constructor below requires them for this class
        tenant_id: str = ""
    else:
        tenant_id: Annotated[Text, AfterValidator(_tenant_id)]
    occurred_at: Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(_utc)] = Field(
        default_factory=lambda: datetime.now(UTC)
    )
    if TYPE_CHECKING:
        action: str = ""
    else:
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

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            tenant_id: str,
            action: str,
            event_id: str | uuid.UUID = ...,
            occurred_at: datetime | str = ...,
            actor_id: str = "",
            actor_type: str = "user",
            actor_name: str | None = None,
            on_behalf_of: str | None = None,
            resource: str = "",
            resource_id: str | None = None,
            outcome: Outcome | OutcomeName = Outcome.unknown,
            severity: Severity | SeverityName = Severity.Info,
            description: str | None = None,
            ip: str | ipaddress.IPv4Address | ipaddress.IPv6Address | None = None,
            user_agent: str | None = None,
            request_id: str | None = None,
            before: object = None,
            after: object = None,
            source: str = "",
            metadata: dict[str, str] = ...,
            fields: dict[str, Any] = ...,
        ) -> None: ...

    def __init_subclass__(
        cls,
        *,
        action: str | None = None,
        resource: str | None = None,
        outcome: Outcome | OutcomeName | None = None,
        severity: Severity | SeverityName | None = None,
    ) -> None:
        """Declare the class arguments. pydantic passes them on to `__pydantic_init_subclass__`."""

    @classmethod
    def __pydantic_init_subclass__(cls, **arguments: Any) -> None:
        """Use the class arguments as defaults, and check the declared fields. Raises InvalidInput for an invalid
        field.
        """
        from auditlane.contract.declared_fields import complete  # imported here, since it needs this class's schema

        cls._declared = tuple(name for name in cls.model_fields if name not in AuditEvent.model_fields)
        complete(cls, arguments)
        if not cls.__pydantic_custom_init__:
            cls.__init__ = _init_typed  # type: ignore[assignment, method-assign]

    @classmethod
    def checked(cls, values: dict[str, Any]) -> Self:
        """Build an event. Raises InvalidEvent, naming the first invalid field and listing all of them."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise _invalid(cls, error) from error
        except (MemoryError, InvalidEvent):
            raise
        except Exception as error:  # raised by one of a value's methods
            field = next((name for name, value in values.items() if cls._raises(name, value)), "")
            raise InvalidEvent(
                f"The event is not valid: cannot read {field}, since its value raised {type(error).__name__}.",
                field=field,
            ) from error

    @classmethod
    def _raises(cls, name: str, value: object) -> bool:
        values: dict[str, Any] = {"tenant_id": "a", "action": "a", name: value}
        try:
            cls(**values)
        except (ValidationError, InvalidEvent):
            pass
        except Exception:  # the value's own code may raise any exception; the caller reports the field's name
            return True
        return False

    def record(self) -> dict[str, Any]:
        """Return the values of the Avro record. Enums are symbols, the time is a datetime, and custom fields are at the
        top level.
        """
        values = {name: getattr(self, name) for name in BASE_FIELDS}
        values["outcome"], values["severity"] = self.outcome.value, self.severity.value
        return values | (self.custom_fields() if self._declared else self.fields)

    def declares(self, name: str) -> bool:
        """Return whether the event's class declares this custom field."""
        return name in self._declared

    def custom_fields(self) -> dict[str, Any]:
        """Return `fields` and the fields declared by a subclass, converted to values that a contract can carry.

        Declared fields take precedence. Raises InvalidEvent for any other value, naming the field.
        """
        if not self._declared:
            return self.fields
        own = dict(self.fields)
        for name in self._declared:
            try:
                own[name] = contract_value(getattr(self, name))
            except ValueError as error:
                raise InvalidEvent(f"{name} {error}.", field=name) from None
        return own


BASE_FIELDS: tuple[str, ...] = tuple(name for name in AuditEvent.model_fields if name != "fields")
