"""Messages about components, in English in API responses and in the reader's language on pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import WrapValidator

from auditlane.server.pages.i18n import LANGUAGES, Catalogue, catalogues


@dataclass(frozen=True, slots=True)
class Phrase:
    """A message with values. `count` selects between it and `other`, its plural. Numbers are formatted for the
    language.
    """

    text: str
    other: str = ""
    count: int = 0
    values: Mapping[str, str | float] = field(default_factory=dict)

    def render(self, words: Catalogue) -> str:
        """Return the text in the catalogue's language."""
        shown = {
            name: value if isinstance(value, str) else words.number(value, int(isinstance(value, float)))
            for name, value in self.values.items()
        }
        if self.other:
            return words.ngettext(self.text, self.other, self.count, **shown)
        return words.gettext(self.text, **shown)


class LocalizedText(str):
    """English text that keeps its phrases, so that it can be translated later."""

    phrases: tuple[Phrase, ...]

    def __new__(cls, *phrases: Phrase) -> LocalizedText:
        made = super().__new__(cls, _joined(phrases, catalogues()[LANGUAGES[0]]))
        made.phrases = phrases
        return made

    def render(self, words: Catalogue) -> str:
        """Return the text in the catalogue's language."""
        return _joined(self.phrases, words)


def localized(text: str, **values: str | float) -> LocalizedText:
    """Return a text that consists of one phrase."""
    return LocalizedText(Phrase(text, values=values))


def counted(one: str, other: str, count: int, **values: str | float) -> Phrase:
    """Return a phrase with a count. Both the singular and the plural contain `%(count)s`."""
    return Phrase(one, other, count, values)


def _joined(phrases: tuple[Phrase, ...], words: Catalogue) -> str:
    return ", ".join(phrase.render(words) for phrase in phrases)


def _unchanged(value: Any, check: Any) -> Any:
    return value if isinstance(value, LocalizedText) else check(value)


Text = Annotated[str, WrapValidator(_unchanged)]  # Pydantic would convert it to a plain str
