"""Retakes the screenshots in `docs/pictures`. It opens the demo that `make run` starts in a browser, in light and dark
mode.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fixtures.site import BUILD, follow
from fixtures.stack import Stack, running
from playwright.sync_api import Page, expect, sync_playwright

PICTURES = BUILD.parent.parent.parent / "docs" / "pictures"
MAX_BYTES = 200_000
TENANT = "acme"
RANGE = "range=30d"
SIZE = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def demo(viewer_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("pictures") / "data", "--demo", "--port", "0") as stack:
        yield stack


def link(demo: Stack, tenant: str) -> str:
    """Return a new link. Each page needs its own, since a link works only once."""
    arguments = ["token", "--tenant", tenant, "--user", "jane", "--permissions", "read,export,configure", "--link"]
    return demo.run(*arguments).stdout.strip().splitlines()[-1]


def show_log(page: Page) -> None:
    page.goto(page.url.partition("?")[0] + f"?{RANGE}")
    expect(page.get_by_role("row").nth(12)).to_be_visible()
    expect(page.locator("auditlane-histogram canvas")).to_be_visible()


def show_event(page: Page) -> None:
    page.goto(page.url.partition("?")[0] + f"?{RANGE}&query=action:policy.changed%20OR%20action:settings.changed")
    page.get_by_role("row").filter(has_text="policy.changed").first.click()
    expect(page.locator("auditlane-details section")).to_be_visible()


def show_search(page: Page) -> None:
    show_log(page)
    box = page.get_by_role("combobox").first
    box.click()
    page.keyboard.type("outcome:failure action:")
    expect(page.get_by_role("option").filter(has_text="user.login_failed")).to_be_visible()


def show_download(page: Page) -> None:
    show_log(page)
    page.get_by_role("button", name="Download", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("events")


def show_settings(page: Page) -> None:
    page.get_by_role("button", name="Settings", exact=True).click()
    expect(
        page.locator("auditlane-settings").get_by_role("checkbox").or_(page.get_by_role("switch")).first
    ).to_be_visible()


def show_first_use(page: Page) -> None:
    expect(page.get_by_role("tabpanel", name="Python")).to_be_visible()


SCENES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "log": (TENANT, show_log),
    "event": (TENANT, show_event),
    "search": (TENANT, show_search),
    "download": (TENANT, show_download),
    "settings": (TENANT, show_settings),
    "first-use": ("newcomer", show_first_use),
}


@pytest.mark.timeout(1_800)  # twelve browsers, one after another
def test_pictures(demo: Stack, chromium: tuple[str, list[str], dict[str, str]]) -> None:
    path, flags, env = chromium
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        for name, (tenant, scene) in SCENES.items():
            for scheme in ("light", "dark"):
                browser = playwright.chromium.launch(executable_path=path, args=flags, env=os.environ | env)
                page = browser.new_page(
                    viewport=SIZE, locale="en-US", timezone_id="UTC", color_scheme=scheme, reduced_motion="reduce"
                )
                follow(page, link(demo, tenant))
                expect(page.locator("auditlane-viewer").get_by_role("heading", level=2)).to_contain_text(tenant)
                scene(page)
                page.wait_for_load_state("networkidle")
                picture = PICTURES / f"{name}-{scheme}.png"
                page.screenshot(path=picture, animations="disabled", caret="hide")
                browser.close()
                print(picture.name, picture.stat().st_size)
                assert picture.stat().st_size < MAX_BYTES, picture.name
