"""Tests the output of `auditlane up` when everything is ready."""

from __future__ import annotations

from datetime import UTC, datetime

from auditlane.access.links import LINK_CODE
from auditlane.access.signing import SigningKeys
from auditlane.cli import up
from auditlane.runtime.settings import variable

STATE = {
    "env": {variable("serve_url"): "http://127.0.0.1:8480", variable("data_dir"): "/some where"},
    "parts": [{"name": "kafka", "url": "127.0.0.1:9092"}, {"name": "serve", "url": "http://127.0.0.1:8480"}],
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
    env = {
        variable("signing_keys_file"): str(tmp_path / "signing-keys.json"),
        variable("serve_url"): "http://127.0.0.1:8480",
    }
    links = up._tenant_links(env)
    assert list(links) == ["acme", "globex", "initech"]
    for tenant, link in links.items():
        claims = signing.verify(LINK_CODE, link.partition("?code=")[2], now=datetime.now(UTC))
        assert (claims["tenant"], claims["view"]) == (tenant, "range=30d")
