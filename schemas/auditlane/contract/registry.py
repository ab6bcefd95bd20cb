"""A small client for a schema registry with Confluent's REST API (Confluent, Karapace, Apicurio ccompat, Redpanda)."""

from __future__ import annotations

import base64
import json
import os
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

import urllib3

from auditlane.contract.registry_reader import Observe
from auditlane.runtime.errors import (
    ConfigError,
    RegistryRefused,
    RegistryUnavailable,
    SchemaIncompatible,
    SchemaNotFound,
)
from auditlane.runtime.lru_cache import LruCache

_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_NOT_CONFIGURED = 40408
_KEPT_CHARACTERS = 16 << 20


@dataclass(frozen=True, slots=True)
class Registered:
    """A schema registered as one version of a subject."""

    subject: str
    version: int
    schema_id: int
    schema: str


class RegistryClient:
    """A client for one registry. Thread-safe. Schemas by id never change, so they are cached.

    Every method raises RegistryUnavailable (no connection, time-out, 5xx, 429: a retry may succeed) or RegistryRefused
    for any other refusal, including its subclasses SchemaNotFound and SchemaIncompatible. Requests are not retried,
    except once over a new connection if the registry has closed a kept-alive one.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str = "",
        password: str = "",
        token: str = "",
        ca: str | os.PathLike[str] | None = None,
        timeout_s: float = 5.0,
        observe: Observe | None = None,
    ) -> None:
        """Create a client. Pass `user` and `password` for basic authentication, or `token` for bearer authentication.

        `ca` is a PEM file's path. `observe` is called after every request.
        """
        if token and user:
            raise ConfigError("Both a user and a token are set for the registry.", fix="Set only one of them.")
        self._url = url.rstrip("/")
        self._headers = {"Accept": f"{_CONTENT_TYPE}, application/json", "Content-Type": _CONTENT_TYPE}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        elif user:
            self._headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._pool = urllib3.PoolManager(
            maxsize=4, timeout=urllib3.Timeout(timeout_s), ssl_context=_trust(ca) if url.startswith("https:") else None
        )
        self._texts: LruCache[int, str] = LruCache(_KEPT_CHARACTERS, weight=len)
        self._observe = observe or (lambda result, seconds: None)

    def close(self) -> None:
        """Close the kept-alive connections. The client may still be used, and opens new ones."""
        self._pool.clear()

    def schema(self, schema_id: int) -> str:
        """Return the text of a schema, without its references. Raises SchemaNotFound."""
        text = self._texts.get(schema_id)
        if text is None:
            text = self._text(self._call("GET", f"schemas/ids/{schema_id}"), "schema")
            self._texts.put(schema_id, text)
        return text

    def id_of(self, guid: UUID) -> int:
        """Return the id of the schema with this GUID, or the smallest one if there are several.

        Raises SchemaNotFound.
        """
        entries = self._list(self._call("GET", f"schemas/guids/{guid}/ids"))
        ids = [entry["id"] for entry in entries if entry.get("context", ".") == "."]
        if not ids:
            raise SchemaNotFound(f"The schema {guid} is not in the registry's default context.")
        return int(min(ids))

    def subjects(self) -> frozenset[str]:
        """Return all subjects that have at least one version."""
        return frozenset(map(str, self._list(self._call("GET", "subjects"))))

    def subjects_of(self, schema_id: int) -> frozenset[str]:
        """Return the subjects under which the schema is registered. Raises SchemaNotFound."""
        versions = self._list(self._call("GET", f"schemas/ids/{schema_id}/versions"))
        return frozenset(version["subject"] for version in versions)

    def latest(self, subject: str) -> Registered:
        """Return the subject's newest version. Raises SchemaNotFound."""
        return self._registered(self._call("GET", f"subjects/{_path(subject)}/versions/latest"))

    def versions(self, subject: str) -> list[int]:
        """Return the subject's version numbers in ascending order. Raises SchemaNotFound."""
        return sorted(map(int, self._list(self._call("GET", f"subjects/{_path(subject)}/versions"))))

    def version(self, subject: str, number: int) -> Registered:
        """Return one version of a subject. Raises SchemaNotFound."""
        return self._registered(self._call("GET", f"subjects/{_path(subject)}/versions/{number}"))

    def lookup(self, subject: str, schema: str) -> Registered | None:
        """Return the version under which exactly this schema is registered, or None if it is not registered."""
        try:
            return self._registered(self._call("POST", f"subjects/{_path(subject)}", {"schema": schema}))
        except SchemaNotFound:
            return None

    def register(self, subject: str, schema: str) -> int:
        """Register the schema, unless registered already, and return its id. Raises SchemaIncompatible."""
        answer = self._call("POST", f"subjects/{_path(subject)}/versions", {"schema": schema})
        schema_id = self._object(answer).get("id")
        if not isinstance(schema_id, int):
            raise self._unexpected(answer)
        return schema_id

    def compatibility(self, subject: str) -> str:
        """Return the effective compatibility level of the subject: its own level, or the global one if it has none."""
        try:
            answer = self._call("GET", f"config/{_path(subject)}?defaultToGlobal=true")
        except SchemaNotFound:  # a registry without defaultToGlobal
            answer = self._call("GET", "config")
        return self._text(answer, "compatibilityLevel")

    def own_compatibility(self, subject: str) -> str | None:
        """Return the level that is set for the subject itself, or None if the global level applies."""
        try:
            return self._text(self._call("GET", f"config/{_path(subject)}"), "compatibilityLevel")
        except SchemaNotFound:
            return None

    def set_compatibility(self, subject: str, level: str) -> None:
        """Set the level of the subject: BACKWARD, FORWARD, FULL, each also with _TRANSITIVE, or NONE."""
        self._call("PUT", f"config/{_path(subject)}", {"compatibility": level})

    def check(self, subject: str, schema: str) -> list[str]:
        """Check a schema against the versions of the subject at its level. Returns the reasons why it is incompatible,
        or [] if it is compatible.
        """
        path = f"compatibility/subjects/{_path(subject)}/versions/latest?verbose=true"
        try:
            answer = self._object(self._call("POST", path, {"schema": schema}))
        except SchemaNotFound:  # some registries raise it for a subject without versions
            return []
        if answer.get("is_compatible") is True:
            return []
        return [str(message) for message in answer.get("messages") or ()] or ["The registry gives no reason."]

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        began = time.perf_counter()
        try:
            response = self._send(method, path, content)
        except urllib3.exceptions.HTTPError as error:
            self._observe("unavailable", time.perf_counter() - began)
            raise self._unreachable(error) from error
        refusal = None if response.status == 200 else self._refusal(response.status, response.data)
        self._observe(_result(refusal), time.perf_counter() - began)
        if refusal is not None:
            raise refusal
        return self._decode(response.data)

    def _send(self, method: str, path: str, content: bytes | None) -> urllib3.BaseHTTPResponse:
        url = f"{self._url}/{path}"
        try:
            return self._pool.request(method, url, body=content, headers=self._headers, retries=False)
        except urllib3.exceptions.ProtocolError:  # the registry has closed a kept-alive connection
            return self._pool.request(method, url, body=content, headers=self._headers, retries=False)

    def _unreachable(self, reason: urllib3.exceptions.HTTPError) -> RegistryUnavailable:
        if isinstance(reason, urllib3.exceptions.SSLError):
            return RegistryUnavailable(
                f"The certificate of the registry at {self._url} is not trusted: {reason}",
                fix="Set AUDITLANE_REGISTRY_CA to a PEM file with the CA that signed it, and use the certificate's "
                "host name in AUDITLANE_REGISTRY_URL.",
            )
        return RegistryUnavailable(
            f"The registry at {self._url} does not respond: {reason}",
            fix="Check AUDITLANE_REGISTRY_URL, and that the registry is running.",
        )

    def _refusal(self, status: int, data: bytes) -> RegistryRefused | RegistryUnavailable:
        code, message = _error(data)
        problem = f"The registry at {self._url} responded with {code or status}: {message}"
        if status >= 500 or status == 429:
            return RegistryUnavailable(problem)
        if status == 401:
            fix = "Check AUDITLANE_REGISTRY_USER and AUDITLANE_REGISTRY_PASSWORD, or AUDITLANE_REGISTRY_TOKEN."
            return RegistryRefused(problem, fix=fix, status=status)
        if status == 403:
            return RegistryRefused(problem, fix="Grant the registry's user this permission.", status=status)
        if 300 <= status < 400:
            return RegistryRefused(problem, fix="Set AUDITLANE_REGISTRY_URL to the redirect's target.", status=status)
        if status == 404 and str(code).startswith("404") and len(str(code)) == 5:
            return SchemaNotFound(message or problem)
        if status == 404:
            fix = "Check the path in AUDITLANE_REGISTRY_URL: it must be the base path of Confluent's API."
            return RegistryRefused(problem, fix=fix, status=status)
        if status == 409:
            return SchemaIncompatible(message or problem)
        return RegistryRefused(problem, status=status)

    def _decode(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except ValueError as error:
            raise self._unexpected(data[:200]) from error

    def _object(self, answer: Any) -> dict[str, Any]:
        if not isinstance(answer, dict):
            raise self._unexpected(answer)
        return answer

    def _list(self, answer: Any) -> list[Any]:
        if not isinstance(answer, list):
            raise self._unexpected(answer)
        return answer

    def _text(self, answer: Any, key: str) -> str:
        value = self._object(answer).get(key)
        if not isinstance(value, str):
            raise self._unexpected(answer)
        return value

    def _registered(self, answer: Any) -> Registered:
        match answer:
            case {"subject": str(subject), "version": int(version), "id": int(schema_id), "schema": str(schema)}:
                return Registered(subject, version, schema_id, schema)
        raise self._unexpected(answer)

    def _unexpected(self, answer: Any) -> RegistryRefused:
        return RegistryRefused(
            f"{self._url} does not respond like a schema registry: {str(answer)[:200]}",
            fix="Check AUDITLANE_REGISTRY_URL.",
            status=200,
        )


def _result(refusal: RegistryRefused | RegistryUnavailable | None) -> str:
    match refusal:
        case None:
            return "ok"
        case SchemaNotFound():
            return "not_found"
        case RegistryRefused():
            return "refused"
    return "unavailable"


def _path(subject: str) -> str:
    return quote(subject, safe="")


def _trust(ca: str | os.PathLike[str] | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"Cannot read the registry's CA file {ca}: {error}",
            field="registry_ca",
            fix="Set AUDITLANE_REGISTRY_CA to a PEM file with the CA's certificate.",
        ) from error


def _error(data: bytes) -> tuple[int | None, str]:
    """Return the code and message from Confluent's error body. For any other body, returns None and the beginning of
    the body.
    """
    try:
        match json.loads(data):
            case {"error_code": int(code), "message": str(message)}:
                return code, message
    except ValueError:
        pass
    return None, data[:200].decode("utf-8", "replace")
