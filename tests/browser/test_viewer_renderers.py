"""Tests host pages that render cells and the heading of the details. They can return text and nodes, but never HTML."""

from __future__ import annotations

import re

from fixtures.host_page import complaints, host_page
from fixtures.site import Site
from playwright.sync_api import Locator, Page, expect

HOSTILE = "<img src=x onerror=alert(1)>"


def opened(site: Site, unique: str, page: Page, **attributes: str) -> Locator:
    event = {"tenant_id": unique, "actor_id": "u-1", "actor_name": HOSTILE, "resource": "document"}
    site.emit(*(event | {"action": f"document.{verb}", "resource_id": "doc-7"} for verb in ("edited", "read")))
    page.goto(host_page(site, unique, [{"token": site.token(unique), **attributes}]))
    table = page.locator("auditlane-table")
    expect(table.locator(".row[aria-rowindex]")).to_have_count(2)
    return table


def set_renderer(page: Page, name: str, function: str) -> None:
    page.evaluate(f"() => {{ document.querySelector('auditlane-viewer').{name} = {function}; }}")


def test_the_host_renders_cells_and_the_heading(site: Site, unique: str, page: Page) -> None:
    said = complaints(page)
    table = opened(site, unique, page, columns="occurred_at, actor_name, resource_id, action")
    site.vendor.put("/doc-7", "<title>The document</title>")
    set_renderer(
        page,
        "renderCell",
        """(field, value, event) => {
          if (field === "actor_name") return `${value} of ${event.actor_id}`;
          if (field !== "resource_id") return null;
          const link = document.createElement("a");
          link.href = `/${value}`;
          link.textContent = "Open";
          link.part.add("custom");
          return link;
        }""",
    )
    row = table.locator(".row[aria-rowindex]").first
    expect(row.get_by_text(f"{HOSTILE} of u-1")).to_be_visible()
    expect(table.locator("img")).to_have_count(0)
    expect(row.get_by_text(re.compile(r"document\.(read|edited)"))).to_be_visible()  # the viewer's own cell
    set_renderer(page, "renderHeading", "(event) => `${event.resource_id}: ${event.action}`")
    row.get_by_text(re.compile(r"document\.(read|edited)")).click()
    details = table.locator("auditlane-details")
    expect(details.get_by_role("heading", level=3)).to_have_text(re.compile(r"^doc-7: document\.(read|edited)$"))
    page.keyboard.press("Escape")
    expect(details).to_have_count(0)
    set_renderer(page, "renderCell", "null")
    expect(row.get_by_text(f"{HOSTILE} of u-1")).to_have_count(0)
    assert said == []


def test_a_link_of_the_host_is_followed_and_opens_no_details(site: Site, unique: str, page: Page) -> None:
    table = opened(site, unique, page, columns="occurred_at, resource_id")
    site.vendor.put("/host.css", "auditlane-viewer::part(custom) { font-style: italic; }", "text/css")
    page.reload()
    set_renderer(
        page,
        "renderCell",
        """(field, value) => field === "resource_id" ? Object.assign(document.createElement("a"), {
          href: "#" + value, textContent: "Open", part: "custom",
        }) : null""",
    )
    link = table.get_by_role("link", name="Open").first
    expect(link).to_have_css("font-style", "italic")
    link.click()
    expect(page).to_have_url(re.compile("#doc-7$"))
    expect(table.locator("auditlane-details")).to_have_count(0)


def test_an_error_of_the_host_is_reported_once_and_leaves_the_cells_to_the_viewer(
    site: Site, unique: str, page: Page
) -> None:
    said = complaints(page)
    table = opened(site, unique, page)
    set_renderer(page, "renderCell", "(field, value) => value.no.such.member")
    expect(table.get_by_text(HOSTILE).first).to_be_visible()
    viewer = page.locator("auditlane-viewer")
    viewer.get_by_role("button", name="Refresh").click()
    expect(table.get_by_role("grid")).to_have_attribute("aria-busy", "false")
    assert [one.partition(":")[2].strip()[:22] for one in said] == ["auditlane: renderCell:"]


def test_a_renderer_that_is_set_while_the_viewer_is_loading_is_used(site: Site, unique: str, page: Page) -> None:
    site.emit({"tenant_id": unique, "actor_id": "u-1", "action": "document.read"})
    address = host_page(site, unique, [{"token": site.token(unique), "lang": "de"}])
    page.route("**/chunks/de-*.js", lambda route: (page.evaluate("window.setNow()"), route.continue_()))
    page.add_init_script(
        """window.setNow = () => {
          document.querySelector("auditlane-viewer").renderCell = (field) => (field === "action" ? "Own cell" : null);
        };"""
    )
    page.goto(address)
    expect(page.locator("auditlane-table").get_by_text("Own cell")).to_be_visible()
