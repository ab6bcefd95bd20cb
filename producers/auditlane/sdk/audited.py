"""Records each call to a function as an event."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, ParamSpec, TypeVar, cast

from auditlane.contract.event import Outcome, Severity, SeverityName
from auditlane.runtime.errors import ConfigError

P = ParamSpec("P")
R = TypeVar("R")
Record = Callable[..., str | None]  # `AuditClient.record`

_DENIED_NAMES: Final = frozenset({"PermissionDenied", "Forbidden", "Unauthorized", "NotAuthenticated"})
_DENIED_STATUSES: Final = (401, 403)


def is_denied(error: BaseException) -> bool:
    """Return whether an exception means that access was denied, judging by its type or its HTTP status."""
    if isinstance(error, PermissionError) or type(error).__name__ in _DENIED_NAMES:
        return True
    if isinstance(error, SystemExit):  # its code is an exit code, not an HTTP status
        return False
    try:
        return any(getattr(error, name, None) in _DENIED_STATUSES for name in ("status_code", "code", "status"))
    except Exception:  # a property of the exception may raise
        return False


def audited(
    record: Record,
    action: str,
    *,
    resource: str = "",
    resource_id: str | Callable[..., object] | None = None,
    severity: Severity | SeverityName = Severity.Info,
    metadata: Mapping[str, object] | Callable[..., Mapping[str, object]] | None = None,
    error_text: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that records every call to a function. `AuditClient.audited` describes the arguments."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigError(
                f"{function.__qualname__} is a generator: its work is not done when the call returns.",
                field="audited",
                fix="Decorate the function that consumes the generator.",
            )
        read_id = _reader_of(function, resource_id)

        def finish(begun: float, error: BaseException | None, args: Any, kwargs: Any) -> None:
            values: dict[str, object] = {"duration_ms": round((time.perf_counter() - begun) * 1000, 1)}
            if error is not None:
                values["exception"] = type(error).__name__
            found: str | None = None
            try:  # the application's own functions must not make the call fail
                values |= _error_text(error) if error_text else {}
                values |= metadata(*args, **kwargs) if callable(metadata) else metadata or {}
                found = _text(read_id(args, kwargs))
            except Exception as raised:
                values["unrecorded_fields"] = f"resource_id or metadata: {type(raised).__name__}"
            failed = Outcome.denied if error is not None and is_denied(error) else Outcome.failure
            record(
                action=action,
                resource=resource,
                resource_id=found,
                outcome=Outcome.success if error is None else failed,
                severity=severity,
                metadata=values,
            )

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                begun = time.perf_counter()
                try:
                    result = await cast(Callable[P, Awaitable[Any]], function)(*args, **kwargs)
                except BaseException as error:
                    finish(begun, error, args, kwargs)
                    raise
                finish(begun, None, args, kwargs)
                return result

            return cast(Callable[P, R], call_async)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            begun = time.perf_counter()
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                finish(begun, error, args, kwargs)
                raise
            finish(begun, None, args, kwargs)
            return result

        return call

    return decorate


def _error_text(error: BaseException | None) -> dict[str, object]:
    return {} if error is None else {"error": str(error)}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _reader_of(
    function: Callable[..., object], resource_id: str | Callable[..., object] | None
) -> Callable[[Any, Any], object]:
    """Return a function that reads the resource's id from a call's arguments. Raises ConfigError if `resource_id` is
    not a parameter."""
    if resource_id is None:
        return lambda args, kwargs: None
    if callable(resource_id):
        return lambda args, kwargs: resource_id(*args, **kwargs)
    signature = inspect.signature(function)
    if resource_id not in signature.parameters:
        known = ", ".join(signature.parameters) or "none"
        raise ConfigError(
            f"{function.__qualname__} has no parameter {resource_id!r} (parameters: {known}).",
            field="resource_id",
            fix="Name the parameter that holds the resource's id, or pass a function of the arguments.",
        )

    def read(args: Any, kwargs: Any) -> object:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments[resource_id]

    return read
