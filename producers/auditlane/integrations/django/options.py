"""Reads the AUDITLANE setting, and checks it when Django starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.core.signals import setting_changed
from django.http import HttpRequest
from django.utils.module_loading import import_string

from auditlane.runtime.client_address import NO_PROXIES, TrustedProxies
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.messages import did_you_mean
from auditlane.sdk import AuditClient

SETTING: Final = "AUDITLANE"

TenantOf = Callable[[HttpRequest], object]


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Fields of an audited model that its events omit, and those whose values are masked."""

    exclude: frozenset[str] = frozenset()
    mask: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Options:
    """The checked options in the AUDITLANE setting."""

    tenant_of: TenantOf | None = None  # TENANT
    trusted_proxies: TrustedProxies = NO_PROXIES  # TRUSTED_PROXIES
    models: Mapping[str, ModelOptions] = field(default_factory=dict)  # MODELS, by "app_label.Model"
    mask: frozenset[str] = frozenset()  # MASK: names of fields whose values are masked in every event
    plain_logins: bool = False  # PLAIN_LOGINS: failed logins contain the name as typed
    client: Callable[[], AuditClient] | None = None  # CLIENT


def options() -> Options:
    """Return the checked options in the AUDITLANE setting. Raises ConfigError."""
    return _options()


@cache
def _options() -> Options:
    return read(getattr(settings, SETTING, {}))


def _forget(*, setting: str, **_: object) -> None:
    if setting == SETTING:
        _options.cache_clear()


setting_changed.connect(_forget, dispatch_uid="auditlane.options")


def read(given: object) -> Options:
    """Parse the AUDITLANE setting's value into options. Raises ConfigError, naming the key."""
    if not isinstance(given, Mapping):
        raise _wrong(
            "", f"must be a dict, not {type(given).__name__}", 'Write AUDITLANE = {"TENANT": "app.tenant_of"}.'
        )
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in _READERS:
            hint = did_you_mean(str(key), sorted(_READERS)) or f"Use one of: {', '.join(sorted(_READERS))}."
            raise _wrong(str(key), "is not a known key", hint)
        name, reader = _READERS[key]
        values[name] = reader(key, value)
    return Options(**values)


def model_options(key: str, value: Mapping[str, object]) -> ModelOptions:
    """Return an audited model's options. Raises ConfigError, naming the key."""
    if unknown := value.keys() - {"exclude", "mask"}:
        raise _wrong(key, f"has the unknown option {min(map(str, unknown))!r}", "Use exclude and mask.")
    return ModelOptions(**{name: _names(f"{key}.{name}", names) for name, names in value.items()})


def _wrong(key: str, problem: str, fix: str) -> ConfigError:
    name = f'{SETTING}["{key}"]' if key else SETTING
    return ConfigError(f"The setting {name} {problem}.", field=name, fix=fix)


def _imported(key: str, value: object) -> Any:
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError as error:
            raise _wrong(key, f"cannot be imported: {error}", "Use the dotted path of a function.") from error
    if not callable(value):
        raise _wrong(key, "is not a function", "Use a function or its dotted path.")
    return value


def _late(key: str, value: object) -> Any:
    """Return a function that imports the dotted path when first called, since apps are still loading when the setting
    is read.
    """
    if callable(value):
        return value
    if not isinstance(value, str):
        raise _wrong(key, "is neither a function nor a dotted path", "Use a function or its dotted path.")
    found = cache(lambda: _imported(key, value))
    return lambda *arguments: found()(*arguments)


def _client(key: str, value: object) -> Any:
    return (lambda: value) if isinstance(value, AuditClient) else _late(key, value)


def _proxies(key: str, value: object) -> TrustedProxies:
    if isinstance(value, Iterable) and not isinstance(value, str):
        value = ",".join(map(str, value))
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _wrong(key, "is neither a list of addresses nor a number of proxies", 'Write "10.0.0.0/8" or 1.')
    return TrustedProxies.parse(str(value))


def _names(key: str, value: object) -> frozenset[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise _wrong(key, "must be a list of names", "Use a list, even for a single name.")
    return frozenset(map(str, value))


def _models(key: str, value: object) -> dict[str, ModelOptions]:
    if isinstance(value, Mapping):
        return {str(label): model_options(f"{key}.{label}", given or {}) for label, given in value.items()}
    return {label: ModelOptions() for label in sorted(_names(key, value))}


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(key, "must be True or False", "Use True or False.")
    return value


_READERS: Final[Mapping[str, tuple[str, Callable[[str, object], Any]]]] = {
    "TENANT": ("tenant_of", _late),
    "TRUSTED_PROXIES": ("trusted_proxies", _proxies),
    "MODELS": ("models", _models),
    "MASK": ("mask", _names),
    "PLAIN_LOGINS": ("plain_logins", _flag),
    "CLIENT": ("client", _client),
}
