"""An event as a sentence: "Jane Cooper deleted document doc-13". The viewer implements the same rules in TypeScript.

A template has placeholders for an event's fields (`PLACEHOLDERS`, `metadata.<key>`, `fields.<name>`). `{actor}` is the
actor's name, or else the ID or type. `{object}` is the resource's type and ID, or a phrase for the type. `{action}` is
the action's label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Final, NamedTuple

from auditlane.contract.vocabulary.sentences import GRAMMAR, Grammar

PLACEHOLDERS: Final = (
    "actor",
    "object",
    "action",
    "resource",
    "resource_id",
    "description",
    "on_behalf_of",
    "ip",
    "source",
)
MAPS: Final = ("metadata", "fields")
ALLOWED: Final = ", ".join(f"{{{name}}}" for name in (*PLACEHOLDERS, "metadata.<key>", "fields.<name>"))
MAX_VALUE: Final = 200  # maximum length of a value in characters
LANGUAGES: Final = tuple(GRAMMAR)
_ATTEMPTS: Final = frozenset({"failure", "denied"})
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_SPACE: Final = re.compile(r"[ \t\r\n]+")
_SEPARATOR: Final = re.compile(r"[.:/ ]")
_WORD_SEPARATOR: Final = re.compile(r"[_-]+")

Event = Mapping[str, Any]


class Templates(NamedTuple):
    """The label and templates of an action in one language. None means that the default template is used."""

    label: str | None = None
    done: str | None = None
    attempted: str | None = None


def template_problem(template: str) -> str | None:
    """Return the problem with a template, naming the placeholder and those allowed, or None if the template is
    valid.
    """
    for name in _PLACEHOLDER.findall(template):
        if not _known(name):
            return f"has the unknown placeholder {{{name}}}; use {ALLOWED}"
    if re.search(r"[{}]", _PLACEHOLDER.sub("", template)):
        return f"has a brace that does not belong to a placeholder; use {ALLOWED}"
    return None


def sentence(event: Event, language: str, actions: Callable[[str], Templates]) -> str:
    """Return the event as a sentence in a language (`en`, `de`).

    `event` maps column names to values, and `actions` returns the texts of an action. Values are shortened to MAX_VALUE
    characters, and whitespace is collapsed to single spaces.
    """
    grammar, texts = GRAMMAR[language], actions(event["action"])
    parts: list[str] = []
    for literal, name in _pieces(_template(event, grammar, texts)):
        if literal:
            parts.append(literal)
        if name is None:
            continue
        value = _value(event, name, grammar, texts)
        if value:
            parts.append(value)
        elif literal:
            parts[-1] = literal.rstrip(" ")
    return "".join(parts).strip(" ")


def grammar_json() -> dict[str, Any]:
    """Return every language's grammar in the JSON form that the viewer reads."""
    return {language: asdict(grammar) for language, grammar in GRAMMAR.items()}


def _known(name: str) -> bool:
    kind, dot, key = name.partition(".")
    return kind in MAPS and bool(key) if dot else name in PLACEHOLDERS


@lru_cache(maxsize=4096)
def _pieces(template: str) -> tuple[tuple[str, str | None], ...]:
    """Split a template into pairs of text and the placeholder that follows it. The last placeholder is None."""
    found = _PLACEHOLDER.split(template)
    return (*zip(found[0:-1:2], found[1::2], strict=True), (found[-1], None))


def _template(event: Event, grammar: Grammar, texts: Templates) -> str:
    attempted = event.get("outcome") in _ATTEMPTS
    own = texts.attempted if attempted else texts.done
    if own:
        return own
    verb = grammar.verbs.get(_SEPARATOR.split(event["action"])[-1].lower(), grammar.neutral)
    return verb[attempted]


def _value(event: Event, name: str, grammar: Grammar, texts: Templates) -> str:
    if name == "actor":
        return _actor(event, grammar)
    if name == "object":
        return _object(event, grammar)
    if name == "action":
        return _text(texts.label or event["action"])
    kind, dot, key = name.partition(".")
    return _text((event.get(kind) or {}).get(key) if dot else event.get(name))


def _actor(event: Event, grammar: Grammar) -> str:
    type_ = event.get("actor_type") or ""
    name = _text(event.get("actor_name"))
    if name or type_ == "anonymous":
        return name or grammar.nobody
    return _text(event.get("actor_id")) or grammar.actors.get(type_, grammar.nobody)


def _object(event: Event, grammar: Grammar) -> str:
    type_, id_ = _text(event.get("resource")), _text(event.get("resource_id"))
    if not type_:
        names = _SEPARATOR.split(event["action"])
        type_ = _text(names[-2]) if len(names) > 1 else ""
    known = grammar.nouns.get(type_.lower())
    noun = known[0] if known else _WORD_SEPARATOR.sub(" ", type_).strip(" ")
    if id_:
        return f"{noun} {id_}".lstrip(" ")
    if known or not noun:
        return known[1] if known else grammar.nothing
    return next(phrase for pattern, phrase in grammar.articles if re.search(pattern, noun)).replace("{noun}", noun)


def _text(value: str | None) -> str:
    line = _SPACE.sub(" ", value or "").strip(" ")
    return line if len(line) <= MAX_VALUE else f"{line[:MAX_VALUE]}…"
