"""Tests the languages of the pages: completeness, negotiation, numbers and times."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po
from fastapi import Request

from auditlane.server.admin.localized import LocalizedText, Phrase, counted, localized
from auditlane.server.pages.i18n import LANGUAGES, catalogues, from_header, language_of
from auditlane.server.pages.templates import address

ROOT = Path(__file__).parents[3]
SERVER = Path(str(files("auditlane.server")))
OTHERS = LANGUAGES[1:]
EN, DE = (catalogues()[one] for one in ("en", "de"))
# Words in the templates that are the same in every language.
NAMES = {"auditlane", "IP", "lt", "gt", "tenant"}
# Messages whose translation equals the English text. Any other identical text counts as untranslated.
ALIKE = {
    "de": {
        *("%(number)s h", "%(number)s min", "%(number)s ms", "%(number)s s"),
        *("Client", "Code", "Details", "Info", "Name", "Partition", "Schema", "Status", "Viewer"),
    }
}


def written(language: str) -> Catalog:
    with (SERVER / "pages" / "locale" / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def spoken(scratch: Path) -> Catalog:
    """Return the messages in the server's code and templates, extracted in the same way as by `make texts`."""
    found = scratch / "found.pot"
    arguments = ["--mapping", str(ROOT / "pyproject.toml"), "--output", str(found), str(SERVER)]
    CommandLineInterface().run(["pybabel", "--quiet", "extract", *arguments])
    with found.open("rb") as file:
        return read_po(file)


def keys(catalog: Iterable[Message]) -> set[tuple[str | None, str | tuple[str, ...]]]:
    return {(one.context, one.id if isinstance(one.id, str) else tuple(one.id)) for one in catalog if one.id}


def forms(text: str | Iterable[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def parts(text: str) -> list[str]:
    """Return the placeholders and markup that a translation must preserve."""
    return sorted(re.findall(r"%\(\w+\)s|\{\w+\}|</?\w+[^>]*>", text))


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_and_no_translation_is_left_over(language, tmp_path):
    found = spoken(tmp_path)
    assert len(found) > 100
    assert keys(written(language)) == keys(found), "run: make texts"


@pytest.mark.parametrize("language", OTHERS)
def test_translations_keep_placeholders_and_markup(language):
    catalog = written(language)
    assert not catalog.obsolete
    for one in (message for message in catalog if message.id):
        assert not one.fuzzy, one.id
        translated = forms(one.string)
        assert len(translated) == (catalog.num_plurals if one.pluralizable else 1)
        assert all(translated), f"not translated: {one.id}"
        for form in translated:
            for text in forms(one.id):
                assert parts(form) == parts(text), one.id


@pytest.mark.parametrize("language", OTHERS)
def test_only_words_of_both_languages_are_translated_by_themselves(language):
    messages = [one for one in written(language) if one.id]
    assert {text for one in messages for text in forms(one.string) if text in forms(one.id)} == ALIKE[language]


def test_templates_contain_no_untranslated_words():
    """Once expressions and markup are removed, no words are left."""
    templates = sorted(SERVER.rglob("templates/*.html"))
    assert templates
    for path in templates:
        text = re.sub(r"{% trans.*?endtrans %}|{%.*?%}|{{.*?}}|{#.*?#}", "", path.read_text(), flags=re.DOTALL)
        labels = re.findall(r'(?:aria-label|placeholder|title|alt|data-[a-z-]+)="([^"]*)"', text)
        text = re.sub(r"<code>.*?</code>|<[^>]*>", " ", text, flags=re.DOTALL)
        names = {word for one in (text, *labels) for word in re.findall(r"[^\W\d_]+", one)}
        assert names <= NAMES | {"waiting", "alone"}, path.name  # the page's script reads the last two


def asking(query: str = "", header: str = "") -> Request:
    headers = [(b"accept-language", header.encode())] if header else []
    return Request({"type": "http", "path": "/x", "query_string": query.encode(), "headers": headers})


def test_the_browsers_first_supported_language_is_used():
    headers = (
        "",
        "fr, de;q=0.3, en;q=0.7",
        "de-AT,en;q=0.9",
        "de;q=x, en",
        "xx",
        "*",
        "fr, DE;q=0.1",
        "en;q=0, de;q=0.1",
    )
    assert [from_header(one) for one in headers] == ["en", "en", "de", "en", "en", "en", "de", "de"]


def test_the_address_takes_precedence_over_the_browsers_language():
    assert language_of(asking("", "de")) == "de"
    assert language_of(asking("lang=en", "de")) == "en"
    assert language_of(asking("a=b&lang=de-CH")) == "de"
    assert language_of(asking("lang=tlh", "de")) == "de"


def test_addresses_stay_in_the_language_that_was_named():
    assert address(asking("lang=de"), "/console", [("prefix", "a&b")], after="") == "/console?lang=de&prefix=a%26b"
    assert address(asking("", "de"), "/console", tenant="acme") == "/console?tenant=acme"
    assert address(asking("lang=x"), "/") == "/"


def test_numbers_and_times_are_formatted_for_the_language():
    assert [EN.number(1_234_567), DE.number(1_234_567)] == ["1,234,567", "1.234.567"]
    assert [EN.number(1_234.56, 1), DE.number(1_234.56, 1), DE.number(72, 1)] == ["1,234.6", "1.234,6", "72,0"]
    moment = "2026-01-31T23:45:00.123456Z"
    assert [EN.moment(moment), DE.moment(moment)] == ["2026-01-31 23:45:00", "31.01.2026 23:45:00"]
    assert DE.moment("2026-02-01T01:00:00+02:00") == "31.01.2026 23:00:00"


def test_plurals_follow_the_language():
    plurals = [DE.ngettext("%(count)s member", "%(count)s members", one) for one in (0, 1, 1_000)]
    assert plurals == ["0 Mitglieder", "1 Mitglied", "1.000 Mitglieder"]


def test_texts_are_english_in_the_api_and_localized_on_a_page():
    text = LocalizedText(
        counted("%(count)s message behind", "%(count)s messages behind", 1_200),
        Phrase("oldest message: %(age)s s", values={"age": 2.51}),
    )
    assert text == "1,200 messages behind, oldest message: 2.5 s"
    assert text.render(DE) == "1.200 Nachrichten im Rückstand, älteste Nachricht: 2,5 s"
    reason = localized("Kafka is not responding: %(reason)s.", reason="100% lost")
    assert (reason, reason.render(DE)) == ("Kafka is not responding: 100% lost.", "Kafka antwortet nicht: 100% lost.")
