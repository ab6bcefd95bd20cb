"""The column `sentence` of an export, which describes each event in a sentence. The sentences are written here rather
than by ClickHouse.

The statement returns a sentence's inputs as JSON in the column INPUTS, and puts MARKER where the sentence belongs in a
line.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import pyarrow as pa

from auditlane.contract.sentence import Templates, sentence
from auditlane.query.structure.actions import templates_of
from auditlane.store.presentation import NamedAction

NAME: Final = "sentence"
INPUTS: Final = "sentence_inputs"
MARKER: Final = uuid.uuid4().hex  # random, so that no value can contain it on purpose
FIELDS: Final = (
    "action",
    "outcome",
    "actor_name",
    "actor_id",
    "actor_type",
    "resource",
    "resource_id",
    "description",
    "on_behalf_of",
    "ip",
    "source",
    "metadata",
)
_ALWAYS: Final = ("action", "outcome")


@dataclass(frozen=True, slots=True)
class Sentences:
    """Settings for sentences: the language, the environment's own actions, and the fields that sentences may contain.

    `fields` contains the names of base fields, and `custom` those of custom fields. None allows all fields.
    """

    language: str = "en"
    actions: tuple[NamedAction, ...] = ()
    fields: tuple[str, ...] = FIELDS
    custom: tuple[str, ...] | None = None

    @classmethod
    def of(cls, language: str, actions: Iterable[NamedAction], readable: Iterable[tuple[str, bool]]) -> Sentences:
        """Create the settings for a reader, whose sentences contain only the `readable` fields.

        Each item of `readable` is a field's name and whether it is a custom field.
        """
        given = set(readable)
        fields = tuple(name for name in FIELDS if name in _ALWAYS or (name, False) in given)
        return cls(language, tuple(actions), fields, tuple(sorted(name for name, custom in given if custom)))


DEFAULT: Final = Sentences()


def with_sentences(
    batches: Iterator[pa.RecordBatch], sentences: Sentences, place: int, cell: Callable[[str], str] | None
) -> Iterator[pa.RecordBatch]:
    """Yield the batches with sentences in place of INPUTS.

    In formats with columns, `place` is the column of the sentence and `cell` is None. In line-based formats, `cell`
    quotes a sentence for the line.
    """
    templates = templates_of(sentences.actions, sentences.language)
    for batch in batches:
        lines = cast(list[bytes | str], batch.column(INPUTS).to_pylist())
        texts = [_sentence(line, sentences, templates.get) for line in lines]
        kept = batch.select([name for name in batch.schema.names if name != INPUTS])
        yield _replaced(kept, texts, place, cell)


def _sentence(line: bytes | str, sentences: Sentences, templates: Callable[[str], Templates | None]) -> str:
    event: dict[str, Any] = json.loads(line)
    if sentences.custom is not None:
        event["fields"] = {name: value for name, value in event["fields"].items() if name in sentences.custom}
    return sentence(event, sentences.language, lambda action: templates(action) or Templates())


def _replaced(
    batch: pa.RecordBatch, texts: Sequence[str], place: int, cell: Callable[[str], str] | None
) -> pa.RecordBatch:
    columns = batch.columns
    if cell is None:
        columns[place] = pa.array(texts, batch.schema.field(place).type)
    else:
        marker, lines = MARKER.encode(), cast(list[bytes], columns[0].to_pylist())
        made = [line.replace(marker, cell(text).encode(), 1) for line, text in zip(lines, texts, strict=True)]
        columns[0] = pa.array(made, batch.schema.field(0).type)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
