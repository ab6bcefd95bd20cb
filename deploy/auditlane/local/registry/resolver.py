"""Turns a client's schema into its stored form: references are resolved, and the schema is parsed and, on request,
normalized.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from auditlane.local.registry import errors
from auditlane.local.registry.canonical import normalized, render
from auditlane.local.registry.defaults import invalid_default
from auditlane.local.registry.nodes import Node
from auditlane.local.registry.policy import Policy
from auditlane.local.registry.schema import SchemaParseError, parse
from auditlane.local.registry.store import Reference, Store, StoredSchema


@dataclass(frozen=True, slots=True)
class Request:
    """A schema as sent by a client. If `version` is 0 and `schema_id` is -1, the registry assigns them."""

    subject: str
    text: str
    references: tuple[Reference, ...] = ()
    schema_id: int = -1
    version: int = 0
    normalize: bool = False


@dataclass(frozen=True, slots=True)
class ParsedSchema:
    """A schema's stored form and its graph."""

    text: str
    references: tuple[Reference, ...]
    schema: Node


class Resolver:
    """Parses schemas with their references."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy

    def canonical(self, request: Request, *, new: bool) -> ParsedSchema:
        """Return a schema's stored form. A `new` schema must not refer to deleted schemas and, if normalized, must have
        valid defaults. Raises ApiError 42201.
        """
        references = request.references
        normalize = request.normalize or self._policy.normalizes_in_scope(request.subject)
        try:
            schema, known = parse(request.text, self._resolve(references, live=new))
        except SchemaParseError as error:
            raise errors.invalid_schema(_describe(request, str(error))) from error
        problem = invalid_default(schema) if normalize and new else None
        if normalize:
            schema = normalized(schema)
            references = tuple(sorted(set(references), key=lambda ref: (ref.name, ref.subject, ref.version)))
        text = render(schema, known)
        try:
            text.encode()
        except UnicodeEncodeError:
            problem = "half of a surrogate pair"
        if problem is not None:
            raise errors.invalid_schema(_describe(request, problem))
        return ParsedSchema(text, references, schema)

    def parse(self, stored: StoredSchema) -> Node:
        """Parse a stored schema. Raises SchemaParseError if a referenced schema was permanently deleted."""
        return _parsed(stored.text, tuple(self._resolve(stored.references)))

    def _resolve(self, references: Sequence[Reference], *, live: bool = False) -> list[str]:
        """Return the text of each referenced schema once, in dependency order. Raises SchemaParseError."""
        texts: dict[str, None] = {}
        for reference in references:
            target = self._store.version(reference.subject, reference.version)
            if target is None or (live and target.deleted):
                raise SchemaParseError(
                    f'No schema reference found for subject "{reference.subject}" and version {reference.version}'
                )
            texts |= dict.fromkeys(self._resolve(target.schema.references))
            texts[target.schema.text] = None
        return list(texts)


@lru_cache(maxsize=256)
def _parsed(text: str, referenced: tuple[str, ...]) -> Node:
    return parse(text, referenced)[0]


def _describe(request: Request, problem: str) -> str:
    references = ", ".join(
        f"{{name='{ref.name}', subject='{ref.subject}', version={ref.version}}}" for ref in request.references
    )
    schema = (
        f"{{subject={request.subject},version={request.version},id={request.schema_id},schemaType=AVRO,"
        f"references=[{references}],metadata=null,ruleSet=null,schema={request.text}}}"
    )
    return f"Invalid schema {schema} with refs [{references}] of type AVRO, details: {problem}"
