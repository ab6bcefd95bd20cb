"""Folds the statements of all migrations into one CREATE per table and view, with the same result.

A replica that joins later needs this, since Keeper compares its CREATE with the current table. A statement whose effect
is not known here raises an error and is never skipped. Performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from auditlane.runtime.errors import ConfigError

_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"")
_CREATE: Final = re.compile(r"CREATE (TABLE|VIEW) IF NOT EXISTS (\S+)")
_REPLACE: Final = re.compile(r"CREATE OR REPLACE VIEW (\S+)")
_ALTER: Final = re.compile(r"ALTER TABLE (?:IF EXISTS )?(\S+)\s+(.*)", re.DOTALL)
_VERB: Final = re.compile(r"(?:ADD|DROP|MODIFY|RESET|RENAME|COMMENT|CLEAR|MATERIALIZE|UPDATE|DELETE|REMOVE)\b")
_ADD: Final = re.compile(r"ADD (COLUMN|INDEX|CONSTRAINT|PROJECTION) (IF NOT EXISTS )?(.*)", re.DOTALL)
_DROP: Final = re.compile(r"DROP (COLUMN|INDEX|CONSTRAINT|PROJECTION) (IF EXISTS )?(\S+)")
_COLUMN: Final = re.compile(r"MODIFY COLUMN (IF EXISTS )?(.*)", re.DOTALL)
_SETTING: Final = re.compile(r"(MODIFY|RESET) SETTING (.*)", re.DOTALL)
_TTL: Final = re.compile(r"MODIFY TTL (.*)", re.DOTALL)
_QUERY: Final = re.compile(r"MODIFY QUERY (.*)", re.DOTALL)
_PLACE: Final = re.compile(r"\s+(?:(FIRST)|AFTER (\S+))$")
_KINDS: Final = ("INDEX", "CONSTRAINT", "PROJECTION")
_CLAUSES: Final = re.compile(r"\b(DEFAULT|MATERIALIZED|ALIAS|EPHEMERAL|CODEC|TTL|COMMENT|STATISTICS|SETTINGS)\b")


def fold(statements: Iterable[str]) -> list[str]:
    """Return one CREATE for each table and view, in an executable order. Raises ConfigError for a statement whose
    effect is unknown.
    """
    objects: dict[str, _Table | str] = {}  # by name; a view is kept as its statement
    for statement in statements:
        if create := _CREATE.match(statement):
            if create[2] not in objects:
                objects[create[2]] = _Table(statement) if create[1] == "TABLE" else statement
        elif replace := _REPLACE.match(statement):
            objects.pop(replace[1], None)  # moved to the end, after objects that it may now depend on
            objects[replace[1]] = statement.replace("CREATE OR REPLACE VIEW", "CREATE VIEW IF NOT EXISTS", 1)
        elif (alter := _ALTER.match(statement)) and alter[1] in objects:
            for command in _commands(alter[2]):
                target = objects.pop(alter[1]) if _QUERY.match(command) else objects[alter[1]]
                objects[alter[1]] = _altered(target, command, statement)
        else:
            raise _unknown(statement)
    return [made if isinstance(made, str) else made.text for made in objects.values()]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a CREATE TABLE. `comment` is a quoted literal, '' without a comment."""

    type: str
    comment: str


def columns(create: str) -> dict[str, Column]:
    """Return a CREATE TABLE's columns by name, in order."""
    result: dict[str, Column] = {}
    for element in _parts(_bodied(create)[1]):
        if _kind(element) == "COLUMN":
            definition = element.partition(_name(element))[2].strip()
            clause = _CLAUSES.search(_blank(definition))
            comment = _QUOTED.match(_cut(definition, "COMMENT")[2].strip())
            type_ = definition[: clause.start()] if clause else definition
            result[_name(element)] = Column(type_.strip(), comment[0] if comment else "")
    return result


def _altered(target: _Table | str, command: str, statement: str) -> _Table | str:
    if isinstance(target, _Table):
        if not target.take(command):
            raise _unknown(statement)
        return target
    if not (query := _QUERY.match(command)):
        raise _unknown(statement)
    head = re.match(r".*?\sAS\s", target, re.DOTALL)
    assert head is not None
    return head[0] + query[1].strip()


def _unknown(statement: str) -> ConfigError:
    return ConfigError(
        f"This statement has no cluster form: {statement.splitlines()[0]}",
        fix="Use CREATE TABLE or VIEW IF NOT EXISTS, CREATE OR REPLACE VIEW, or ALTER TABLE with ADD, DROP, "
        "MODIFY COLUMN with its complete definition, MODIFY or RESET SETTING, MODIFY TTL or MODIFY QUERY.",
    )


@dataclass
class _Table:
    """A parsed CREATE TABLE. `text` is the original statement until a command changes it."""

    text: str
    _head: str = field(init=False)
    _elements: list[str] = field(init=False)
    _engine: str = field(init=False)
    _ttl: str = field(init=False)
    _settings: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._head, body, tail = _bodied(self.text)
        self._elements = _parts(body)
        tail, _, settings = _cut(tail, "SETTINGS")
        self._engine, _, self._ttl = _cut(tail, "TTL")
        self._settings = dict(map(_pair, _parts(settings)))

    def take(self, command: str) -> bool:
        """Apply one command of an ALTER, and return whether its effect is known."""
        if add := _ADD.fullmatch(command):
            known = self._add(add[1], add[3].strip(), lenient=bool(add[2]))
        elif drop := _DROP.fullmatch(command):
            known = self._drop(drop[1], drop[3], lenient=bool(drop[2]))
        elif column := _COLUMN.fullmatch(command):
            known = self._modify(column[2].strip(), lenient=bool(column[1]))
        elif setting := _SETTING.fullmatch(command):
            for part in _parts(setting[2]):
                if setting[1] == "MODIFY":
                    self._settings |= [_pair(part)]
                else:
                    self._settings.pop(part, None)
            known = True
        elif ttl := _TTL.fullmatch(command):
            self._ttl, known = ttl[1].strip(), True
        else:
            return False
        self.text = self._written()
        return known

    def _add(self, kind: str, definition: str, *, lenient: bool) -> bool:
        place = _PLACE.search(definition)
        definition = definition[: place.start()] if place else definition
        element = definition if kind == "COLUMN" else f"{kind} {definition}"
        if self._find(kind, _name(element)) is not None:
            return lenient
        of_kind = [at for at, present in enumerate(self._elements) if _kind(present) == kind]
        if place and place[2]:
            after = self._find(kind, place[2].strip("`"))
            if after is None:
                return False
            self._elements.insert(after + 1, element)
        elif place:
            self._elements.insert(of_kind[0] if of_kind else len(self._elements), element)
        else:
            self._elements.insert(of_kind[-1] + 1 if of_kind else len(self._elements), element)
        return True

    def _drop(self, kind: str, name: str, *, lenient: bool) -> bool:
        at = self._find(kind, name.strip("`"))
        if at is None:
            return lenient
        del self._elements[at]
        return True

    def _modify(self, definition: str, *, lenient: bool) -> bool:
        """Replace a column's definition. MODIFY keeps omitted clauses, so it has to repeat all of them."""
        at = self._find("COLUMN", _name(definition))
        if at is None:
            return lenient
        if _PLACE.search(definition) or not _clauses(definition) >= _clauses(self._elements[at]):
            return False
        self._elements[at] = definition
        return True

    def _find(self, kind: str, name: str) -> int | None:
        return next(
            (at for at, element in enumerate(self._elements) if _kind(element) == kind and _name(element) == name),
            None,
        )

    def _written(self) -> str:
        settings = ", ".join(f"{name} = {value}" for name, value in self._settings.items())
        clauses = [self._engine, f"TTL {self._ttl}" if self._ttl else "", f"SETTINGS {settings}" if settings else ""]
        body = ",\n    ".join(self._elements)
        return f"{self._head}(\n    {body}\n) " + "\n".join(filter(None, clauses))


def _kind(element: str) -> str:
    word = element.split(maxsplit=1)[0].upper()
    return word if word in _KINDS else "COLUMN"


def _name(element: str) -> str:
    words = element.split(maxsplit=2)
    return (words[1] if _kind(element) != "COLUMN" else words[0]).strip("`")


def _clauses(definition: str) -> set[str]:
    return set(_CLAUSES.findall(_blank(definition)))


def _pair(setting: str) -> tuple[str, str]:
    name, _, value = setting.partition("=")
    return name.strip(), value.strip()


def _blank(text: str) -> str:
    """Blank out quoted text and the content of parentheses without changing the length, leaving only the top level."""
    blank, depth = [], 0
    for char in _QUOTED.sub(lambda quoted: "_" * len(quoted[0]), text):
        depth -= char == ")"
        blank.append(" " if depth and not char.isspace() else char)
        depth += char == "("
    return "".join(blank)


def _bodied(statement: str) -> tuple[str, str, str]:
    """Split a CREATE TABLE into the text before its parentheses, their content, and the text after them."""
    blank = _blank(statement)
    first, last = blank.index("("), blank.index(")")
    return statement[:first], statement[first + 1 : last].strip(), statement[last + 1 :].strip()


def _cut(text: str, keyword: str) -> tuple[str, str, str]:
    """Split the text at a top-level keyword, like `str.partition`."""
    found = re.search(rf"\b{keyword}\b", _blank(text))
    if found is None:
        return text, "", ""
    return text[: found.start()].strip(), keyword, text[found.end() :].strip()


def _parts(text: str) -> list[str]:
    """Split the text at its top-level commas, dropping empty parts."""
    cuts = [-1, *(at for at, char in enumerate(_blank(text)) if char == ","), len(text)]
    parts = [text[first + 1 : last].strip() for first, last in pairwise(cuts)]
    return list(filter(None, parts))


def _commands(text: str) -> list[str]:
    """Split an ALTER into commands. A part that does not start with a verb continues the preceding list of settings."""
    if _QUERY.match(text):  # the commas belong to the query
        return [text]
    commands: list[str] = []
    for part in _parts(text):
        if commands and not _VERB.match(part):
            commands[-1] += f", {part}"
        else:
            commands.append(part)
    return commands
