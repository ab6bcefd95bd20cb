"""Sentences about the parts: English in the API's answers, in its reader's language on a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import WrapValidator

from auditlane.server.pages.i18n import LANGUAGES, Catalogue, catalogues


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text and its values; `other` is for a `count` that is not one. Numbers are written as the language does."""

    text: str
    other: str = ""
    count: int = 0
    values: Mapping[str, str | float] = field(default_factory=dict)

    def render(self, words: Catalogue) -> str:
        shown = {
            name: value if isinstance(value, str) else words.number(value, int(isinstance(value, float)))
            for name, value in self.values.items()
        }
        if self.other:
            return words.ngettext(self.text, self.other, self.count, **shown)
        return words.gettext(self.text, **shown)


class LocalizedText(str):
    """The English text, which knows the phrases that it was made of."""

    phrases: tuple[Phrase, ...]

    def __new__(cls, *phrases: Phrase) -> LocalizedText:
        made = super().__new__(cls, _joined(phrases, catalogues()[LANGUAGES[0]]))
        made.phrases = phrases
        return made

    def render(self, words: Catalogue) -> str:
        """The same in a catalogue's language."""
        return _joined(self.phrases, words)


def localized(text: str, **values: str | float) -> LocalizedText:
    """A text of one phrase."""
    return LocalizedText(Phrase(text, values=values))


def counted(one: str, other: str, count: int) -> Phrase:
    """So many of something; `%(count)s` in the texts is the count."""
    return Phrase(one, other, count)


def _joined(phrases: tuple[Phrase, ...], words: Catalogue) -> str:
    return ", ".join(one.render(words) for one in phrases)


def _as_it_is(value: Any, check: Any) -> Any:
    return value if isinstance(value, LocalizedText) else check(value)


Text = Annotated[str, WrapValidator(_as_it_is)]  # Pydantic would make a plain text of it
