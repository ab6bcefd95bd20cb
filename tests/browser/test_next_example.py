"""Builds the example in `docs/examples/embed/next` with the packed viewer, and runs it with the real service. Next.js
renders the page on the server, with a strict Content-Security-Policy and a token for a single document's events.

The packages are installed from npm when the test runs. The tests need npm's registry.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fixtures.host_page import complaints
from fixtures.npm import Npm
from fixtures.site import Site
from fixtures.workers import wait_until
from playwright.sync_api import Page, expect

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "embed" / "next"
BUILT = {"node_modules", ".next", "viewer.tgz"}

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def built(npm: Npm, packed_viewer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a copy of the example, built as its README describes."""
    folder = tmp_path_factory.mktemp("next") / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(*BUILT))
    shutil.copy(packed_viewer, folder / "viewer.tgz")
    npm.install(folder, "ci")
    done = npm.run("npm", "run", "build", where=folder, NEXT_TELEMETRY_DISABLED="1")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@contextmanager
def served(site: Site, built: Path, tenant: str, node: list[str]) -> Iterator[str]:
    settings = site.served.settings
    files = {
        "AUDITLANE_KEYS_FILE": str(settings.keys_file),
        "AUDITLANE_SIGNING_KEYS_FILE": str(settings.signing_keys_file),
    }
    command = [sys.executable, "-m", "auditlane.cli", "keys", "create", "--role", "auditor", "--name", "next", "--json"]
    created = json.loads(subprocess.run(command, env=os.environ | files, check=True, capture_output=True).stdout)
    env = os.environ | {
        "AUDITLANE_SERVE_URL": site.url,
        "CLIENT_ID": created["client_id"],
        "SECRET": created["secret"],
        "EXAMPLE_TENANT": tenant,
        "NEXT_TELEMETRY_DISABLED": "1",
    }
    arguments = ["start", "--hostname", "localhost", "--port", str(site.free_port)]
    with (built / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*node, "node_modules/next/dist/bin/next", *arguments], cwd=built, env=env, stdout=log, stderr=log
        )
    url = f"http://localhost:{site.free_port}"

    def ready() -> bool:
        assert process.poll() is None, (built / "server.log").read_text()
        try:
            urllib.request.urlopen(url + "/documents/ready", timeout=10).close()
        except OSError:
            return False
        return True

    try:
        wait_until(ready, why=(built / "server.log").read_text)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def fill(site: Site, tenant: str) -> None:
    event = {"tenant_id": tenant, "actor_id": "u-3", "actor_name": "Jane Cooper", "resource": "document"}
    documents = [("edited", "doc-7"), ("read", "doc-7"), ("read", "doc-8")]
    site.emit(*(event | {"action": f"document.{verb}", "resource_id": name} for verb, name in documents))


def test_the_page_of_a_document_shows_its_activity(
    site: Site, unique: str, page: Page, node: list[str], built: Path
) -> None:
    fill(site, unique)
    messages = complaints(page)
    with served(site, built, unique, node) as url:
        response = page.goto(f"{url}/documents/doc-7")
        assert response is not None
        policy = response.headers["content-security-policy"]
        assert re.search(r"script-src 'nonce-[\w+/=-]+' 'strict-dynamic';", policy)
        assert "unsafe" not in policy
        assert f'<auditlane-viewer base-url="{site.url}"' in response.text()  # rendered on the server
        rows = page.locator("auditlane-table .row[aria-rowindex]")
        expect(rows).to_have_count(2)
        link = rows.first.get_by_role("link", name="Jane Cooper")
        expect(link).to_have_attribute("href", "/people/u-3")
        rows.first.locator(".cell").last.click()
        details = page.locator("auditlane-details")
        expect(details.get_by_role("heading", level=3)).to_contain_text("doc-7")
        assert "doc-8" not in page.content()
        link.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Person u-3")
        assert messages == []
        with urllib.request.urlopen(f"{url}/documents/doc-7/audit-token") as answer:
            token = answer.read().decode()
        assert site.request("/v1/events?resource_id=doc-8", token).json()["data"] == []
        assert len(site.request("/v1/events?include_access=true", token).json()["data"]) == 2


def test_a_failed_request_for_a_token_is_reported_and_can_be_repeated(
    site: Site, unique: str, page: Page, node: list[str], built: Path
) -> None:
    fill(site, unique)
    with served(site, built, unique, node) as url:
        page.route("**/audit-token", lambda route: route.fulfill(status=500, body="no"))
        page.goto(f"{url}/documents/doc-8")
        alert = page.get_by_role("main").get_by_role("alert")
        expect(alert).to_contain_text("cannot be loaded")
        page.unroute("**/audit-token")
        alert.get_by_role("button", name="Try again").click()
        expect(page.locator("auditlane-table .row[aria-rowindex]")).to_have_count(1)
        expect(alert).to_have_count(0)
