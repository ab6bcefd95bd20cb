"""The commands of docs/access.md, docs/query.md and docs/export.md, in order and unchanged."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from querying import START, event, store
from serving import Served

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def served(clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with store(clickhouse) as table:
        table.add([event(number, occurred_at=START, outcome="failure") for number in range(3)])
        given = {"clickhouse_url": clickhouse, "clickhouse_database": table.database}
        with Served(tmp_path_factory.mktemp("docs"), **given) as made:
            yield made


def commands(page: str) -> list[str]:
    """Return each curl command of a page, without the output."""
    blocks = re.findall(r"```console\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    lines = [re.sub(r"^\$ ", "", block) for block in blocks]
    found = [re.match(r"curl (?:.*\\\n)*.*", one) for one in lines]
    return [one[0] for one in found if one]


def run(served: Served, folder: Path, command: str, token: str = "", *, most: int = 0) -> subprocess.CompletedProcess:
    issued = served.client("vendor")
    given = {"URL": served.url, "TOKEN": token, "CLIENT_ID": issued.client.client_id, "SECRET": issued.secret}
    command = command.replace("curl ", f"curl --fail-with-body {f'--max-time {most} ' if most else ''}", 1)
    shell = shutil.which("sh") or "sh"
    return subprocess.run(
        [shell, "-c", command],
        cwd=folder,
        env=os.environ | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_reader_who_follows_the_pages_gets_what_they_say(served: Served, tmp_path: Path) -> None:
    for_token, *_ = commands("access.md")
    told = run(served, tmp_path, for_token)
    token = re.search(r'"access_token":"([^"]+)"', told.stdout)
    assert token, told
    listed, counted, followed = commands("query.md")
    for command, expected in ((listed, '"event_id"'), (counted, '"value"')):
        done = run(served, tmp_path, command, token[1])
        assert done.returncode == 0, done
        assert expected in done.stdout
    stream = run(served, tmp_path, followed, token[1], most=3)
    assert stream.stdout.startswith("retry: 2000"), stream
    (exported,) = commands("export.md")
    done = run(served, tmp_path, exported, token[1])
    assert done.returncode == 0, done
    (file,) = tmp_path.glob("audit-acme-*.csv")
    assert file.read_bytes().count(b"\r\n") == 4
