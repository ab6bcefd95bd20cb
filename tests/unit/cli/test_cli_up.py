"""Tests what `auditlane up` prints when everything is ready."""

from __future__ import annotations

import threading
import webbrowser
from datetime import UTC, datetime

import pytest

from auditlane.access.links import LINK_CODE
from auditlane.access.short_links import ShortLinks
from auditlane.access.signing import SigningKeys
from auditlane.cli import up
from auditlane.runtime.settings import variable

STATE = {
    "env": {variable("serve_url"): "http://127.0.0.1:8480", variable("data_dir"): "/some where"},
    "parts": [{"name": "kafka", "url": "127.0.0.1:9092"}, {"name": "serve", "url": "http://127.0.0.1:8480"}],
}


def environment(folder):
    return {
        variable("signing_keys_file"): str(folder / "signing-keys.json"),
        variable("links_dir"): str(folder / "links"),
        variable("serve_url"): "http://127.0.0.1:8480",
        variable("data_dir"): str(folder),
    }


def test_a_newcomer_is_led_to_the_console_first(capsys):
    links = {"acme": "http://127.0.0.1:8480/enter?code=acme", "globex": "http://127.0.0.1:8480/enter?code=globex"}
    up._print_block(STATE, links, "http://127.0.0.1:8480/enter?code=console")
    printed = capsys.readouterr().out
    addresses = [line.strip() for line in printed.splitlines() if line.strip().startswith("http")]
    assert addresses == ["http://127.0.0.1:8480/enter?code=console", *links.values()]
    assert printed.index("console") < printed.index("127.0.0.1:9092")
    assert "token --console" in printed
    assert "token --link --permissions configure,contract,export,read --ttl 8h --tenant acme" in printed
    assert "--data '/some where'" in printed


def test_a_stack_without_passwords_warns_first(capsys):
    up._print_block(STATE, {}, "")
    assert "WARNING" not in capsys.readouterr().out
    up._print_block({**STATE, "auth": False}, {}, "")
    printed = capsys.readouterr().out
    assert "every user of this machine can read and write every tenant's events" in printed
    assert printed.index("WARNING") < printed.index("127.0.0.1:9092")


def test_without_the_demo_there_are_no_links(capsys):
    up._print_block(STATE, {}, "")
    printed = capsys.readouterr().out
    assert "enter?code" not in printed
    assert "pages and API http://127.0.0.1:8480" in printed


def test_the_demos_links_lead_to_thirty_days_of_the_largest_tenant_first(tmp_path):
    signing = SigningKeys.load_or_create(tmp_path / "signing-keys.json")
    env = environment(tmp_path)
    links = up._tenant_links(env)
    assert list(links) == ["acme", "globex", "initech"]
    for tenant, link in links.items():
        code = ShortLinks(tmp_path / "links").code_of(link.partition("?code=")[2])
        claims = signing.verify(LINK_CODE, code, now=datetime.now(UTC))
        assert (claims["tenant"], claims["view"]) == (tenant, "range=30d")


def test_every_link_fits_into_one_line_of_a_terminal(tmp_path, capsys):
    SigningKeys.load_or_create(tmp_path / "signing-keys.json")
    env = environment(tmp_path)
    up._print_block({**STATE, "env": env}, up._tenant_links(env), up._console_link(env))
    lines = [line for line in capsys.readouterr().out.splitlines() if "enter?code=" in line]
    assert len(lines) == 4
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("finds", [True, False, webbrowser.Error("no browser")])
def test_the_first_page_is_opened_or_the_user_is_told(finds, monkeypatch):
    opened, notes, done = [], [], threading.Event()

    def open_(url):
        opened.append(url)
        if isinstance(finds, Exception):
            raise finds
        if finds:
            done.set()
        return finds

    def note(sentence):
        notes.append(sentence)
        done.set()

    monkeypatch.setattr(webbrowser, "open", open_)
    up.open_in_browser("http://127.0.0.1:8480/enter?code=x", note)
    assert done.wait(30)
    assert opened == ["http://127.0.0.1:8480/enter?code=x"]
    if finds is True:
        assert notes == []
    else:
        assert "No browser" in notes[0]
        assert opened[0] in notes[0]
