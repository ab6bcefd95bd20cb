"""A small client for a registry that speaks Confluent's REST API (Confluent, Karapace, Apicurio ccompat, Redpanda)."""

from __future__ import annotations

import base64
import json
import os
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

import urllib3

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
    """A schema as it stands under a subject."""

    subject: str
    version: int
    schema_id: int
    schema: str


class RegistryClient:
    """One registry. Thread-safe; of texts by id, which never change, the ones used last are kept.

    Every method raises RegistryUnavailable (no connection, time-out, 5xx, 429: a retry may succeed) or RegistryRefused
    (any other refusal); SchemaNotFound and SchemaIncompatible are kinds of the latter. It retries nothing itself beyond
    one reconnect of a kept-alive connection that the registry had closed.
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
    ) -> None:
        """`user` and `password` for basic authentication or `token` for bearer; `ca` is a PEM file of certificates."""
        if token and user:
            raise ConfigError("Both a user and a token are given for the registry.", fix="Give one of them.")
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

    def close(self) -> None:
        """Close the kept-alive connections. The client may still be used, and opens new ones."""
        self._pool.clear()

    def schema(self, schema_id: int) -> str:
        """The text of a schema, without those that it refers to. Raises SchemaNotFound."""
        text = self._texts.get(schema_id)
        if text is None:
            text = self._text(self._call("GET", f"schemas/ids/{schema_id}"), "schema")
            self._texts.put(schema_id, text)
        return text

    def id_of(self, guid: UUID) -> int:
        """The id of the schema with this GUID, the smallest where it has several. Raises SchemaNotFound."""
        answer = self._list(self._call("GET", f"schemas/guids/{guid}/ids"))
        ids = [one["id"] for one in answer if one.get("context", ".") == "."]
        if not ids:
            raise SchemaNotFound(f"The schema {guid} is in no context that is used here.")
        return int(min(ids))

    def subjects(self) -> frozenset[str]:
        """Every subject that has a version."""
        return frozenset(map(str, self._list(self._call("GET", "subjects"))))

    def subjects_of(self, schema_id: int) -> frozenset[str]:
        """The subjects under which the schema is registered. Raises SchemaNotFound."""
        return frozenset(one["subject"] for one in self._list(self._call("GET", f"schemas/ids/{schema_id}/versions")))

    def latest(self, subject: str) -> Registered:
        """The subject's newest version. Raises SchemaNotFound."""
        return self._registered(self._call("GET", f"subjects/{_path(subject)}/versions/latest"))

    def versions(self, subject: str) -> list[int]:
        """The numbers of the subject's versions, ascending. Raises SchemaNotFound."""
        return sorted(map(int, self._list(self._call("GET", f"subjects/{_path(subject)}/versions"))))

    def version(self, subject: str, number: int) -> Registered:
        """One version. Raises SchemaNotFound."""
        return self._registered(self._call("GET", f"subjects/{_path(subject)}/versions/{number}"))

    def lookup(self, subject: str, schema: str) -> Registered | None:
        """The version under which this very schema is registered; None when it is not."""
        try:
            return self._registered(self._call("POST", f"subjects/{_path(subject)}", {"schema": schema}))
        except SchemaNotFound:
            return None

    def register(self, subject: str, schema: str) -> int:
        """The schema's id, after registering it unless it is already. Raises SchemaIncompatible."""
        answer = self._call("POST", f"subjects/{_path(subject)}/versions", {"schema": schema})
        schema_id = self._object(answer).get("id")
        if not isinstance(schema_id, int):
            raise self._strange(answer)
        return schema_id

    def compatibility(self, subject: str) -> str:
        """The level in force for the subject: its own, else the global one."""
        try:
            answer = self._call("GET", f"config/{_path(subject)}?defaultToGlobal=true")
        except SchemaNotFound:  # a registry that does not know defaultToGlobal
            answer = self._call("GET", "config")
        return self._text(answer, "compatibilityLevel")

    def own_compatibility(self, subject: str) -> str | None:
        """The level that is set for the subject itself; None when it follows the global one."""
        try:
            return self._text(self._call("GET", f"config/{_path(subject)}"), "compatibilityLevel")
        except SchemaNotFound:
            return None

    def set_compatibility(self, subject: str, level: str) -> None:
        """Set the subject's level: BACKWARD, FORWARD, FULL, each also with _TRANSITIVE, or NONE."""
        self._call("PUT", f"config/{_path(subject)}", {"compatibility": level})

    def check(self, subject: str, schema: str) -> list[str]:
        """Why the schema could not follow the subject's versions at its level; empty when it could."""
        path = f"compatibility/subjects/{_path(subject)}/versions/latest?verbose=true"
        try:
            answer = self._object(self._call("POST", path, {"schema": schema}))
        except SchemaNotFound:  # some registries answer so for a subject without versions
            return []
        if answer.get("is_compatible") is True:
            return []
        return [str(one) for one in answer.get("messages") or ()] or ["The registry gives no reason."]

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        try:
            response = self._send(method, path, content)
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        if response.status == 200:
            return self._decode(response.data)
        raise self._refusal(response.status, response.data)

    def _send(self, method: str, path: str, content: bytes | None) -> urllib3.BaseHTTPResponse:
        url = f"{self._url}/{path}"
        try:
            return self._pool.request(method, url, body=content, headers=self._headers, retries=False)
        except urllib3.exceptions.ProtocolError:  # a kept-alive connection that was closed at its other end
            return self._pool.request(method, url, body=content, headers=self._headers, retries=False)

    def _unreachable(self, reason: urllib3.exceptions.HTTPError) -> RegistryUnavailable:
        if isinstance(reason, urllib3.exceptions.SSLError):
            return RegistryUnavailable(
                f"The registry's certificate at {self._url} is not trusted: {reason}",
                fix="Name the CA that signed it in AUDITLANE_REGISTRY_CA (a PEM file), and the host as the certificate "
                "names it in AUDITLANE_REGISTRY_URL.",
            )
        return RegistryUnavailable(
            f"The registry at {self._url} does not answer: {reason}",
            fix="Check AUDITLANE_REGISTRY_URL, and that the registry runs.",
        )

    def _refusal(self, status: int, data: bytes) -> RegistryRefused | RegistryUnavailable:
        code, message = _error(data)
        problem = f"The registry at {self._url} answered {code or status}: {message}"
        if status >= 500 or status == 429:
            return RegistryUnavailable(problem)
        if status == 401:
            fix = "Check AUDITLANE_REGISTRY_USER and AUDITLANE_REGISTRY_PASSWORD, or AUDITLANE_REGISTRY_TOKEN."
            return RegistryRefused(problem, fix=fix, status=status)
        if status == 403:
            return RegistryRefused(problem, fix="Give the registry's user the right to do this.", status=status)
        if 300 <= status < 400:
            return RegistryRefused(problem, fix="Set AUDITLANE_REGISTRY_URL to where it redirects.", status=status)
        if status == 404 and str(code).startswith("404") and len(str(code)) == 5:
            return SchemaNotFound(message or problem)
        if status == 404:
            fix = "Check the path in AUDITLANE_REGISTRY_URL: it must end where Confluent's API begins."
            return RegistryRefused(problem, fix=fix, status=status)
        if status == 409:
            return SchemaIncompatible(message or problem)
        return RegistryRefused(problem, status=status)

    def _decode(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except ValueError as error:
            raise self._strange(data[:200]) from error

    def _object(self, answer: Any) -> dict[str, Any]:
        if not isinstance(answer, dict):
            raise self._strange(answer)
        return answer

    def _list(self, answer: Any) -> list[Any]:
        if not isinstance(answer, list):
            raise self._strange(answer)
        return answer

    def _text(self, answer: Any, key: str) -> str:
        value = self._object(answer).get(key)
        if not isinstance(value, str):
            raise self._strange(answer)
        return value

    def _registered(self, answer: Any) -> Registered:
        match answer:
            case {"subject": str(subject), "version": int(version), "id": int(schema_id), "schema": str(schema)}:
                return Registered(subject, version, schema_id, schema)
        raise self._strange(answer)

    def _strange(self, answer: Any) -> RegistryRefused:
        return RegistryRefused(
            f"What answers at {self._url} is not a schema registry: {str(answer)[:200]}",
            fix="Check AUDITLANE_REGISTRY_URL.",
            status=200,
        )


def _path(subject: str) -> str:
    return quote(subject, safe="")


def _trust(ca: str | os.PathLike[str] | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"The CA file of the registry cannot be read: {ca}: {error}",
            field="registry_ca",
            fix="AUDITLANE_REGISTRY_CA must name a PEM file with the CA's certificate.",
        ) from error


def _error(data: bytes) -> tuple[int | None, str]:
    """The code and message of Confluent's error body; of any other body, its beginning."""
    try:
        match json.loads(data):
            case {"error_code": int(code), "message": str(message)}:
                return code, message
    except ValueError:
        pass
    return None, data[:200].decode("utf-8", "replace")
