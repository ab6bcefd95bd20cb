"""Tests that the generated parts of the docs match the code, that links between pages have targets, and that prose is
wrapped.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
assert _spec is not None
assert _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


@pytest.mark.parametrize("page", generate.pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_generated_parts_are_up_to_date(page: Path) -> None:
    text = page.read_text()
    assert generate.render(text) == text, "run: make docs"


@pytest.mark.parametrize("page", generate.pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_every_block_is_on_some_page() -> None:
    text = "".join(page.read_text() for page in generate.pages())
    assert set(generate.BLOCKS) == set(re.findall(r"<!-- generated: (\w+) -->", text))


def test_the_diagram_shows_every_table_and_view_of_the_migrations() -> None:
    sql = "".join(path.read_text() for path in sorted((ROOT / "schemas" / "auditlane" / "store" / "sql").glob("*.sql")))
    diagram = generate.entities()
    drawn = dict(re.findall(r"^    (\w+) {\n(.*?)^    }", diagram, re.DOTALL | re.MULTILINE))
    assert drawn.keys() == set(re.findall(r"CREATE (?:TABLE|VIEW) IF NOT EXISTS {database}\.(\w+)", sql))
    assert [line.split()[1] for line in drawn["events"].splitlines() if line.endswith(" PK")] == [
        "tenant_id",
        "occurred_at",
        "event_id",
        "content_hash",
    ]
    assert "String ip\n" in drawn["log_text"]
    assert {name for left, _, right, _ in generate.RELATIONS for name in (left, right)} <= drawn.keys()


def test_each_error_of_the_tree_is_listed_once_and_explained() -> None:
    rows = [line.split(" | ") for line in generate.errors_table().splitlines()[2:]]
    assert len({row[0] for row in rows}) == len(rows)
    assert all(row[4].removesuffix(" |") for row in rows)


def test_every_package_and_module_is_explained() -> None:
    assert "| `" in generate.packages()
    unexplained = re.findall(r"\| `([^`]+)` \|  \|", generate.packages())
    modules = [
        path
        for folder in ("schemas", "producers", "consumers", "deploy")
        for path in (ROOT / folder / "auditlane").rglob("*.py")
    ]
    unexplained += [path.name for path in modules if not ast.get_docstring(ast.parse(path.read_text()))]
    assert unexplained == []


def long_lines(text: str, most: int = 100) -> list[str]:
    """Return the lines of prose that are too long. Tables, code, generated blocks and links do not count."""
    prose = re.sub(
        r"^( *)```.*?^\1```$|<!-- generated.*?<!-- end -->|^ *\|[^\n]*", "", text, flags=re.DOTALL | re.MULTILINE
    )
    return [line for line in prose.splitlines() if len(re.sub(r"\]\([^)]*\)|`[^`]{60,}`", "", line)) > most]


@pytest.mark.parametrize(
    "page",
    [*generate.pages(), *(ROOT / f"{name}.md" for name in ("CONTRIBUTING", "CHANGELOG", "SECURITY"))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_prose_is_wrapped(page: Path) -> None:
    assert long_lines(page.read_text()) == []


@pytest.mark.parametrize("page", generate.pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_table_row_is_one_line(page: Path) -> None:
    """In Markdown, a row that continues on the next line ends the table."""
    text = re.sub(r"^( *)```.*?^\1```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    rows = [line.strip() for line in text.splitlines() if line.strip().startswith("|") or line.strip().endswith(" |")]
    assert [row for row in rows if not (row.startswith("|") and row.endswith("|"))] == []


def test_a_long_line_of_prose_is_found() -> None:
    words = "word " * 21
    assert long_lines(f"{words}\n```\n{words}\n```\n| {words} |\n- {words}\n[link](docs/{words}.md)\n") == [
        words,
        f"- {words}",
    ]


def test_every_name_in_the_architectures_tree_exists() -> None:
    """Only the names of folders and modules in the block are checked, not the explanations in parentheses."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    [tree] = (block for block in re.findall(r"```text\n(.*?)```", text, re.DOTALL) if "schemas/auditlane/" in block)
    names = re.findall(
        r"(?<![<\w/])([a-z_]+)(/?)(?=[\s,;]|$)", re.sub(r"\([^()]*\)", "", tree.split("consumers/viewer")[0])
    )
    known = {path.stem for path in ROOT.glob("*/auditlane/**/*.py")} | {
        path.name for path in ROOT.glob("*/auditlane/**/") if path.is_dir()
    }
    assert len(names) > 40
    assert {name for name, _ in names} - {"the"} <= known
