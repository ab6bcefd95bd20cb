"""Tests that the commands, settings and requests named in the docs exist, and that the index links to every page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from auditlane.cli import app as cli
from auditlane.cli.subcommands import find
from auditlane.runtime import settings
from auditlane.runtime.secret_files import SUFFIX
from auditlane.sdk.config import OPTIONS, SECRETS, variable
from auditlane.server.auth.route_permissions import RIGHTS

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
# Building an example installs its packages in its folder.
OWN_DOCS = sorted(page for page in DOCS.rglob("*.md") if "node_modules" not in page.parts)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *OWN_DOCS]
SHELL = re.compile(r"(?:<!-- ([^>]+) -->\n)?```(?:console|sh)\n(.*?)```", re.DOTALL)
# Variables that `auditlane env` writes for other clients, or that only the tests or the worker's fault injection read.
NOT_SETTINGS = {
    "AUDITLANE_CLICKHOUSE_NATIVE",
    "AUDITLANE_FAILPOINT",
    "AUDITLANE_TEST_CLICKHOUSE_URLS",
    "AUDITLANE_TEST_IMAGE",
    "AUDITLANE_TEST_PROMETHEUS_DIR",
}
REGISTRY = {"GET /subjects", "POST /subjects/{}", "PUT /config/{}"}
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def _commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each command on a shell line, including commands within `$(…)`."""
    words: list[str] = []
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for word in lexer:
        for inner in re.findall(r"\$\((.*?)\)", word):
            yield from _commands(inner)
        if set(word) <= set("();<>|&"):
            yield words
            words = []
        elif words or not re.match(r"[A-Z_]+=", word):
            words.append(word)
    yield words


def commands_in(text: str) -> list[str]:
    """Return the command lines in the code spans and blocks of a page. Output shown in blocks is skipped."""
    found = []
    for _, block in SHELL.findall(text):
        lines = block.replace("\\\n", "").splitlines()
        prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        found += prompted or [line for line in lines if "auditlane " in line.partition("#")[0]]
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return found + [span.replace("&#124;", "|") for span in re.findall(r"`(auditlane [a-z][^`]*)`", prose)]


def _parse(words: list[str]) -> None:
    """Parse the words after `auditlane`. Raises a usage error if a subcommand or option is unknown, or an argument is
    superfluous.
    """
    subcommand = find(words[0])
    assert subcommand, f"auditlane has no subcommand {words[0]!r}"
    command: Any = cli.load(subcommand)
    rest = words[1:]
    while (children := getattr(command, "commands", None)) and rest and rest[0] != "--help":
        assert rest[0] in children, f"auditlane {words[0]} has no subcommand {rest[0]!r}"
        command, rest = children[rest[0]], rest[1:]
    parser = command.make_parser(typer.Context(command, info_name=words[0]))
    _, surplus, _ = parser.parse_args(args=list(rest))
    assert not surplus, f"surplus arguments: {surplus}"


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda page: page.name)
def test_each_block_of_commands_is_run_by_a_test_or_states_why_not(page: Path) -> None:
    for mark, block in SHELL.findall(page.read_text("utf-8")):
        assert mark == "run: console" or mark.startswith("not run: "), block


@every_page
def test_commands_and_their_options_exist(page: Path) -> None:
    for line in commands_in(page.read_text("utf-8")):
        for words in _commands(line.replace("…", "ELLIPSIS")):
            if words[:1] == ["auditlane"] and words[1:] and not words[1].startswith("-"):
                try:
                    _parse(words[1:])
                except Exception as error:
                    pytest.fail(f"{line}: {error}")


def test_a_command_of_every_form_is_found_and_checked() -> None:
    text = '```sh\nA=b auditlane lag | sort\neval "$(auditlane env)"\n```\n`auditlane up --demo`\n'
    found = [words for line in commands_in(text) for words in _commands(line) if words[:1] == ["auditlane"]]
    assert found == [["auditlane", "lag"], ["auditlane", "env"], ["auditlane", "up", "--demo"]]
    with pytest.raises(Exception, match="No such option: --demos"):
        _parse(["up", "--demos"])
    with pytest.raises(AssertionError, match="no subcommand 'rotates'"):
        _parse(["keys", "rotates"])


@every_page
def test_every_named_setting_exists(page: Path) -> None:
    known = {settings.variable(name) for group in settings.GROUPS for name in group.model_fields}
    known |= {variable(option) for option in OPTIONS} | NOT_SETTINGS
    known |= {variable(option) + SUFFIX for option in (*settings.SECRETS, *SECRETS)}
    named = set(re.findall(r"\bAUDITLANE_[A-Z_]*[A-Z]\b(?![*…])", page.read_text("utf-8")))
    assert named <= known


@every_page
def test_requests_have_a_route(page: Path) -> None:
    known = {re.sub(r"\{.*?\}", "{}", right.route) for right in RIGHTS}
    spans = re.findall(r"`((?:GET|HEAD|POST|PUT|DELETE) /[^`?\s]*)[^`]*`", page.read_text("utf-8"))
    assert {re.sub(r"\{.*?\}", "{}", span) for span in spans} - REGISTRY <= known


def test_the_index_links_every_page_once() -> None:
    linked = re.findall(r"\]\((?!\.\.)([^)#]+\.md)\)", (DOCS / "README.md").read_text("utf-8"))
    pages = [str(page.relative_to(DOCS)) for page in OWN_DOCS if page != DOCS / "README.md"]
    assert sorted(linked) == sorted(pages)


@every_page
def test_links_to_a_heading_find_it(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text("utf-8")):
        linked = page if not target else page.parent / target
        headings = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in anchors, f"{target}#{anchor}: {sorted(anchors)}"
