"""The console in a real browser, on the real parts: opened by a link, read, and left for a tenant's log."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fixtures.workers import World, wait_until
from playwright.sync_api import Page, expect
from serving import Served

from auditlane.access.links import mint_console_link
from auditlane.access.tokens import Operator


def test_from_a_link_to_a_tenants_log(world: World, page: Page) -> None:
    world.produce(14)
    world.send(b"\x01junk", key="tenant3")
    world.worker()
    world.stored(14)
    world.completed()
    settings = world.settings.model_dump(exclude_unset=True) | {"trail_window_s": 0.2}
    with Served(world.folder, **settings) as served:
        hour, now = timedelta(hours=1), datetime.now(UTC)
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(mint_console_link(served.signing, Operator("ops"), url=served.url, now=now, session=hour))
        assert page.url == f"{served.url}/console"
        expect(page.locator("#parts")).to_contain_text("clickhouse")
        expect(page.locator("#parts")).not_to_contain_text("away")
        expect(page.locator("#letters")).to_contain_text("NOT_FRAMED")
        expect(page.locator("#tenants tbody tr")).not_to_have_count(0)
        page.get_by_label("Begins with").fill("tenant3")
        page.get_by_role("button", name="Find").click()
        expect(page.locator("#tenants tbody tr")).to_have_count(1)
        page.get_by_role("button", name="View as tenant3").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("tenant3")
        assert page.url == f"{served.url}/"
        page.goto(f"{served.url}/plain")
        expect(page.locator("td.action").filter(has_text=re.compile(r"^act"))).not_to_have_count(0)
        wait_until(lambda: page.reload() and page.get_by_text("audit_log.viewed_as_tenant").count())
        page.goto(f"{served.url}/console")
        expect(page.locator("#lag")).to_contain_text("behind")
        page.goto(f"{served.url}/leave")
        page.goto(f"{served.url}/console")
        expect(page.get_by_role("heading", level=1)).to_contain_text("A link is needed")
        # The answer 401 is one that a browser tells its console.
        assert [text for text in errors if "401" not in text] == []
