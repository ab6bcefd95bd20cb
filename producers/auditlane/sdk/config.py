"""The SDK's settings, read from `AUDITLANE_*` without a settings framework. All errors are reported together."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from auditlane.contract.librdkafka import overridden
from auditlane.contract.tenants import is_tenant
from auditlane.runtime import secret_files, validators
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.messages import did_you_mean
from auditlane.runtime.validators import is_loopback
from auditlane.sdk.redaction import check_path

PREFIX: Final = "AUDITLANE_"
HTTP_SPOOL: Final = "http"  # subfolder of the spool for the events that are sent to the gateway
_SHORTEST_KEY: Final = 16  # characters; with fewer, the hashed values could be found by trying keys


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """The validated options of an AuditClient, which takes and documents the same names.

    The suffix of a name is its unit: `_s` for seconds, `_ms` for milliseconds, or `_bytes`. `load` reads each option
    from the environment variable `AUDITLANE_<NAME>`, and the options in `SECRETS` also from the file that
    `AUDITLANE_<NAME>_FILE` names:

        config = ClientConfig.load(max_block_ms=500)  # the rest from the environment
        audit = AuditClient(config)
    """

    url: str = ""  # of the gateway; events are sent there instead of to Kafka
    token: str | Callable[[], str] = field(default="", repr=False)
    token_file: str = ""  # path of a file with the token, which is read again when the token is rejected
    client_id: str = ""  # used with `secret` instead of a token
    secret: str = field(default="", repr=False)
    secret_file: str = ""  # path of a file with the secret, which is read for each new token
    url_ca: str = ""  # path of a PEM file
    allow_http: bool = False  # whether `url` may use http to another host
    kafka_bootstrap: str = ""  # host:port, separated by commas
    registry_url: str = ""
    kafka_extra: Mapping[str, Any] = field(default_factory=dict)  # librdkafka options
    registry_user: str = ""
    registry_password: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    registry_ca: str = ""  # path of a PEM file
    registry_refresh_s: float = 30.0
    registry_wait_ms: int = 5_000  # how long a tenant's first event may wait for the registry
    topic: str = "audit.events"
    max_event_bytes: int = 524_288
    source: str = ""  # `source` of events that do not set their own
    shards: Mapping[str, int] = field(default_factory=dict)  # tenant -> number of keys over which its events are spread
    dedicated_tenants: Set[str] = frozenset()  # tenants with their own topic, <topic>.<tenant>
    compression: Literal["lz4", "zstd"] = "lz4"
    max_block_ms: int = 0
    buffer_bytes: int = 64 << 20
    delivery_timeout_ms: int = 120_000
    close_timeout_s: float = 10.0
    delivery_mode: Literal["fast", "durable", "sync"] = "fast"
    spool_dir: str = ""  # folder for events that Kafka has not acknowledged; empty for none
    spool_bytes: int = 256 << 20
    spool_full: Literal["block", "drop_oldest", "raise"] = "block"
    spool_sync: Literal["never", "1s", "always"] = "never"
    catch_all_tenant: str = "unassigned"  # tenant for recorded events without a valid one
    redact: Set[str] = frozenset()  # paths of values to remove; see `redaction`
    hash_values: Set[str] = frozenset()  # paths of values to replace with a keyed hash
    hash_key: str = field(default="", repr=False)

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **given: Any) -> ClientConfig:
        """Read the options from `environ`, which defaults to `os.environ`. Options in `given` take precedence unless
        None.

        Raises ConfigError, listing every missing, invalid or unknown option.
        """
        environ = os.environ if environ is None else environ
        files = secret_files.values(environ, map(variable, SECRETS))
        values = {name: files.get(variable(name)) or environ.get(variable(name), "") for name in OPTIONS}
        chosen = _given(given)
        if chosen.get("kafka_bootstrap") and not chosen.get("url"):  # code takes precedence over the environment
            values["url"] = ""
        values |= chosen
        required: frozenset[str] = frozenset() if values["url"] else _REQUIRED
        return cls(**_checked({name: raw for name, raw in values.items() if raw != "" or name in required}))

    def changed(self, **given: Any) -> ClientConfig:
        """Return a copy with the given options, except those that are None.

        Raises ConfigError, listing every invalid or unknown option.
        """
        return replace(self, **_checked(_given(given)))


OPTIONS: Final = frozenset(option.name for option in fields(ClientConfig))
SECRETS: Final = ("hash_key", "kafka_extra", "registry_password", "registry_token")


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None or name not in OPTIONS}


def _checked(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options converted to ClientConfig's types. Raises ConfigError."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, value in sorted(raw.items()):
        if name not in OPTIONS:
            problems.append(f"{name}: unknown option. {did_you_mean(name, sorted(OPTIONS))}".rstrip())
            continue
        try:
            values[name] = _READERS[name](value)
        except (TypeError, ValueError) as error:
            problems.append(f"{variable(name)}: {error}")
    if values.get("hash_values") and "hash_key" not in raw:
        problems.append(f"{variable('hash_key')}: is not set, but {variable('hash_values')} needs it")
    if values.get("url"):
        problems += _gateway_problems(values)
    if problems:
        raise ConfigError(
            "The audit client's settings are invalid:\n" + "\n".join(f"  {problem}" for problem in problems),
            fix="Set them, or pass the options to AuditClient; `auditlane env` prints those of a local stack.",
        )
    return values


def _gateway_problems(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the problems in the combination of the gateway's options."""
    url = urlsplit(values["url"])
    if url.scheme == "http" and not is_loopback(url.hostname or "") and not values.get("allow_http"):
        yield (
            f"{variable('url')}: would send the credential and the events over the network without encryption. Use "
            f"https://, or set {variable('allow_http')}=true if another layer encrypts the connection"
        )
    if not any(values.get(name) for name in ("token", "token_file")):
        if not values.get("client_id"):
            yield (
                f"{variable('url')}: needs a credential. Set {variable('token')}, {variable('token_file')}, or "
                f"{variable('client_id')} and {variable('secret')}"
            )
        elif not any(values.get(name) for name in ("secret", "secret_file")):
            yield f"{variable('secret')}: is not set, but {variable('client_id')} needs it"


def variable(name: str) -> str:
    """Return the name of an option's environment variable."""
    return PREFIX + name.upper()


def _bootstrap(value: object) -> str:
    text = str(value).strip()
    if not text:
        raise ValueError("is not set: Kafka's brokers, as host:port,host:port")
    return validators.bootstrap(text)


def _gateway_url(value: object) -> str:
    text = str(value).strip()
    if not text.startswith(("http://", "https://")):
        raise ValueError(
            "must begin with https:// or http://. For Kafka, set AUDITLANE_KAFKA_BOOTSTRAP and AUDITLANE_REGISTRY_URL "
            "instead"
        )
    return validators.service_url(text, "AUDITLANE_TOKEN, or AUDITLANE_CLIENT_ID and AUDITLANE_SECRET")


def _token(value: object) -> object:
    if callable(value):
        return value
    text = str(value).strip()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("must be a token of printable ASCII characters without spaces")
    return text


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in ("true", "1", "yes", "on"):
        return True
    if text in ("false", "0", "no", "off"):
        return False
    raise ValueError("must be true or false")


def _url(value: object) -> str:
    text = str(value).strip()
    if not text:
        raise ValueError("is not set: the URL of the schema registry")
    return validators.registry_url(text)


def _file(value: object) -> str:
    return str(validators.file(Path(str(value)))) if value else ""


def _topic(value: object) -> str:
    return validators.topic(str(value))


def _number(kind: type[int] | type[float], low: float, high: float) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        try:
            number = kind(str(value))
        except (TypeError, ValueError):
            raise ValueError(f"{value!r} is not a number") from None
        if not low <= number <= high:
            raise ValueError(f"{number} is not between {low:g} and {high:g}")
        return number

    return read


def _object(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueError(f"must be a JSON object: {error}") from None
    if not isinstance(value, Mapping):
        raise ValueError("must be a JSON object")
    return dict(value)


def _extra(value: object) -> dict[str, Any]:
    options = _object(value)
    if found := overridden(options):
        raise ValueError("; ".join(found))
    return options


def _shards(value: object) -> dict[str, int]:
    count = _number(int, 1, 10_000)
    return {_tenant(tenant): count(shards) for tenant, shards in _object(value).items()}


def _tenants(value: object) -> frozenset[str]:
    tenants = value.split(",") if isinstance(value, str) else value
    if not isinstance(tenants, (list, tuple, set, frozenset)):
        raise ValueError("must be tenant ids, separated by commas")
    return frozenset(_tenant(tenant) for tenant in tenants if tenant)


def _tenant(value: object) -> str:
    text = str(value).strip()
    if not is_tenant(text):
        raise ValueError(f"{text!r} is not a tenant id")
    return text


def _paths(value: object, *, hashed: bool) -> frozenset[str]:
    paths = value.split(",") if isinstance(value, str) else value
    if not isinstance(paths, (list, tuple, set, frozenset)):
        raise ValueError("must be names of values, separated by commas")
    return frozenset(check_path(str(path).strip(), hashed=hashed) for path in paths if path)


def _hash_key(value: object) -> str:
    text = str(value)
    if len(text) < _SHORTEST_KEY:
        raise ValueError(f"must have at least {_SHORTEST_KEY} characters")
    return text


def _choice(*names: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in names:
            raise ValueError(f"must be {', '.join(names[:-1])} or {names[-1]}")
        return str(value)

    return read


_REQUIRED: Final[frozenset[str]] = frozenset({"kafka_bootstrap", "registry_url"})
_READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "url": _gateway_url,
    "token": _token,
    "token_file": str,
    "client_id": str,
    "secret": str,
    "secret_file": str,
    "url_ca": _file,
    "allow_http": _flag,
    "kafka_bootstrap": _bootstrap,
    "registry_url": _url,
    "kafka_extra": _extra,
    "registry_user": str,
    "registry_password": str,
    "registry_token": str,
    "registry_ca": _file,
    "registry_refresh_s": _number(float, 0.01, 86_400),
    "registry_wait_ms": _number(int, 0, 3_600_000),
    "topic": _topic,
    "max_event_bytes": _number(int, 1_024, 100 << 20),
    "source": str,
    "shards": _shards,
    "dedicated_tenants": _tenants,
    "compression": _choice("lz4", "zstd"),
    "max_block_ms": _number(int, 0, 3_600_000),
    "buffer_bytes": _number(int, 1_024, 2 << 30),
    "delivery_timeout_ms": _number(int, 100, 86_400_000),
    "close_timeout_s": _number(float, 0, 3_600),
    "delivery_mode": _choice("fast", "durable", "sync"),
    "spool_dir": str,
    "spool_bytes": _number(int, 1 << 20, 1 << 40),
    "spool_full": _choice("block", "drop_oldest", "raise"),
    "spool_sync": _choice("never", "1s", "always"),
    "catch_all_tenant": _tenant,
    "redact": partial(_paths, hashed=False),
    "hash_values": partial(_paths, hashed=True),
    "hash_key": _hash_key,
}
