"""Tests saved views in the viewer: as tabs, in links, for one person, and for the whole tenant."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fixtures.axe import violations
from fixtures.host_page import complaints, host_page
from fixtures.site import Site
from fixtures.workers import wait_until
from playwright.sync_api import Locator, Page, expect

from auditlane.access.permissions import Permission

PHONE = {"width": 390, "height": 844}


def open_log(
    site: Site, page: Page, tenant: str, *permissions: Permission, user: str = "jane", path: str = ""
) -> Locator:
    site.give_session(page.context, tenant, *permissions, user=user)
    page.goto(site.url + path)
    viewer = page.locator("auditlane-viewer")
    expect(viewer.locator(".row").filter(has=page.locator("time")).first).to_be_visible()
    return viewer


def save(site: Site, tenant: str, name: str, user: str = "jane", **content: Any) -> Any:
    answer = site.request("/v1/views", site.token(tenant, user=user), method="POST", body={"name": name, **content})
    assert answer.status == 201, answer.data
    return answer.json()


def search(viewer: Locator, query: str) -> None:
    box = viewer.get_by_role("combobox", name="Search the log")
    box.fill(query)
    box.press("Enter")


def tab(viewer: Locator, name: str) -> Locator:
    return viewer.get_by_role("tab", name=name)


def assert_accessible(page: Page) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert violations(page) == [], scheme


def test_a_view_is_saved_chosen_changed_and_deleted_by_keyboard(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 40)
    site.emit(
        *(
            {"tenant_id": unique, "action": f"door.{verb}", "actor_id": "u-1", "resource": "door"}
            for verb in ("opened", "shut")
        )
    )
    messages = complaints(page)
    viewer = open_log(site, page, unique)
    rows = viewer.locator(".row")
    expect(viewer.locator("auditlane-views")).to_have_count(0)  # takes up no space before there is a view
    search(viewer, "resource:door")
    expect(rows).to_have_count(2)
    viewer.get_by_role("button", name="Save view").focus()
    page.keyboard.press("Enter")
    dialog = viewer.get_by_role("dialog", name="Save view")
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("Enter a name.")
    assert_accessible(page)
    page.keyboard.type("Doors")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(tab(viewer, "Doors")).to_have_attribute("aria-selected", "true")
    assert_accessible(page)

    all_events = tab(viewer, "All events")
    tab(viewer, "Doors").focus()
    page.keyboard.press("ArrowLeft")
    expect(all_events).to_be_focused()
    page.keyboard.press("Enter")
    expect(all_events).to_have_attribute("aria-selected", "true")
    expect(viewer.get_by_role("combobox", name="Search the log")).to_have_value("")
    expect(rows.nth(5)).to_be_visible()
    page.keyboard.press("End")
    expect(tab(viewer, "Doors")).to_be_focused()
    page.keyboard.press("Space")
    expect(rows).to_have_count(2)
    page.reload()
    expect(tab(viewer, "Doors")).to_have_attribute("aria-selected", "true")
    expect(rows).to_have_count(2)
    page.go_back()
    expect(all_events).to_have_attribute("aria-selected", "true")
    page.go_forward()
    expect(tab(viewer, "Doors")).to_have_attribute("aria-selected", "true")

    update = viewer.get_by_role("button", name="Save changes")
    expect(update).to_have_count(0)
    search(viewer, "action:door.shut")
    expect(rows).to_have_count(1)
    expect(tab(viewer, "Doors (changed, not saved)")).to_be_visible()
    tab(viewer, "Doors").click()  # the selected tab restores the view
    expect(rows).to_have_count(2)
    search(viewer, "action:door.shut")
    expect(rows).to_have_count(1)
    update.click()
    expect(update).to_have_count(0)
    expect(tab(viewer, "Doors")).to_be_focused()
    expect(viewer.get_by_text("Doors: saved")).to_be_visible()
    [stored] = site.request("/v1/views", site.token(unique)).json()["data"]
    assert (stored["query"], stored["revision"], stored["shared"]) == ("action:door.shut", 2, False)

    options = viewer.get_by_role("button", name="Options for Doors")
    options.click()
    assert_accessible(page)
    viewer.get_by_role("button", name="Rename").click()
    viewer.get_by_role("dialog", name="Rename").get_by_label("Name").fill("Shut doors")
    page.keyboard.press("Enter")
    expect(tab(viewer, "Shut doors")).to_be_focused()
    viewer.get_by_role("button", name="Options for Shut doors").click()
    viewer.get_by_role("button", name="Delete").click()
    confirm = viewer.get_by_role("dialog", name="Delete Shut doors?")
    assert_accessible(page)
    confirm.get_by_role("button", name="Delete").click()
    expect(viewer.locator("auditlane-views")).to_have_count(0)
    expect(rows).to_have_count(1)  # the list stays
    expect(viewer.get_by_role("grid")).to_be_focused()
    assert messages == []

    def recorded() -> list[tuple[str, str | None]]:
        query = "/v1/events?include_access=true&resource=saved_view&sort=occurred_at"
        found = site.request(query, site.token(unique)).json()["data"]
        return [(one["action"], one["metadata"].get("name")) for one in found]

    changes = [f"saved_view.{verb}" for verb in ("created", "changed", "changed", "deleted")]
    wait_until(lambda: recorded() == [(action, None) for action in changes], why="for the events of the changes")


def test_a_shared_view_and_its_link(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 40)
    site.emit({"tenant_id": unique, "action": "door.opened", "actor_id": "u-1", "resource": "door"})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    viewer = open_log(
        site,
        page,
        unique,
        path="/?range=7d&columns=action,occurred_at&group=outcome&compare=1&sort=occurred_at&tz=Asia/Tokyo",
    )
    search(viewer, "resource:door")
    expect(viewer.locator(".row")).to_have_count(1)
    viewer.get_by_role("button", name="Save view").click()
    dialog = viewer.get_by_role("dialog", name="Save view")
    dialog.get_by_label("Name").fill("Doors")
    dialog.get_by_label("Share with everyone in your organisation").check()
    dialog.get_by_role("button", name="Save view").click()
    expect(tab(viewer, "Doors")).to_have_accessible_name("Shared with everyone: Doors")
    viewer.get_by_role("button", name="Options for Doors").click()
    viewer.get_by_role("button", name="Copy link").last.click()
    expect(viewer.get_by_text("Link copied", exact=True)).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"/\?view=[\da-f-]{36}$", link)
    own = save(site, unique, "Mine", query="action:login")

    site.give_session(page.context, unique, Permission.read, user="joe")
    page.goto(link)
    expect(viewer.locator(".row")).to_have_count(1)
    expect(tab(viewer, "Doors")).to_have_attribute("aria-selected", "true")
    expect(viewer.get_by_role("grid", name="Events").get_by_role("columnheader")).to_have_count(2)
    expect(viewer.get_by_role("columnheader", name="Time")).to_have_attribute("aria-sort", "ascending")
    shown = "query=resource%3Adoor&range=7d&sort=occurred_at&columns=action%2Coccurred_at&group=outcome&compare=1"
    expect(page).to_have_url(re.compile(f"tz=Asia%2FTokyo&view={link[-36:]}&{shown}$"))
    search(viewer, "resource:door outcome:success")
    expect(tab(viewer, "Doors (changed, not saved)")).to_be_visible()
    expect(viewer.get_by_role("button", name="Save changes")).to_have_count(0)  # it is not joe's
    viewer.get_by_role("button", name="Options for Doors").click()
    expect(viewer.get_by_role("button", name="Copy link").last).to_be_visible()
    expect(viewer.get_by_role("button", name="Delete")).to_have_count(0)
    page.goto(f"{site.url}/?view={own['id']}")
    expect(viewer.get_by_text("does not exist, or it has not been shared with you")).to_be_visible()
    expect(tab(viewer, "All events")).to_have_attribute("aria-selected", "true")
    expect(tab(viewer, "Mine")).to_have_count(0)
    assert violations(page) == []
    viewer.get_by_role("button", name="Dismiss").click()
    expect(viewer.get_by_text("does not exist")).to_have_count(0)


def test_a_change_by_another_person_is_not_overwritten(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 40)
    view = save(site, unique, "Logins", shared=True, query="outcome:success")
    viewer = open_log(site, page, unique, path=f"/?view={view['id']}")
    expect(tab(viewer, "Logins")).to_have_attribute("aria-selected", "true")
    changed = {"name": "Sign-ins", "query": "outcome:success source:*"}
    joe = site.token(unique, user="joe")
    assert site.request(f"/v1/views/{view['id']}", joe, method="PUT", body=changed, if_match='"1"').status == 200
    search(viewer, "severity:>=Info")
    viewer.get_by_role("button", name="Save changes").click()
    expect(viewer.get_by_text("Someone else has changed this view.")).to_be_visible()
    expect(tab(viewer, "Sign-ins (changed, not saved)")).to_be_visible()
    assert violations(page) == []
    viewer.get_by_role("button", name="Save changes").click()
    expect(viewer.get_by_text("Sign-ins: saved")).to_be_visible()
    [stored] = site.request("/v1/views", joe).json()["data"]
    assert (stored["name"], stored["query"], stored["revision"]) == ("Sign-ins", "severity:>=Info", 3)
    save(site, unique, "Other", user="joe", shared=True)
    viewer.get_by_role("button", name="Refresh").click()
    expect(tab(viewer, "Other")).to_be_visible()
    viewer.get_by_role("button", name="Save view").click()
    dialog = viewer.get_by_role("dialog", name="Save view")
    dialog.get_by_label("Name").fill("other")
    dialog.get_by_label("Share with everyone").check()
    dialog.get_by_role("button", name="Save view").click()
    expect(dialog.get_by_role("alert")).to_have_text("Another view already has this name. Choose a different one.")
    page.keyboard.press("Escape")
    viewer.get_by_role("button", name="Options for Sign-ins").click()
    viewer.get_by_role("button", name="Keep for me only").click()
    expect(tab(viewer, "Sign-ins")).to_have_accessible_name("Sign-ins")
    assert [one["name"] for one in site.request("/v1/views", joe).json()["data"]] == ["Other"]


def test_an_expired_session_is_reported_once(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 40)
    save(site, unique, "Sign-ins", query="action:user.login")
    page.clock.install()
    viewer = open_log(site, page, unique)
    expect(tab(viewer, "Sign-ins")).to_be_visible()
    expect(viewer.locator("auditlane-tiles .number").first).to_have_text(re.compile(r"\d"))
    expect(viewer.locator("auditlane-tiles .waiting")).to_have_count(0)
    expect(viewer.locator("auditlane-histogram canvas")).to_be_visible()
    notices = viewer.locator("auditlane-notices")
    page.context.clear_cookies()
    page.clock.fast_forward(3_602_000)  # the session ends while the reader does nothing
    expect(notices).to_contain_text("Your session has expired")
    viewer.get_by_role("button", name="Refresh").click()
    expect(viewer.locator("auditlane-table [aria-busy=true]")).to_have_count(0)
    expect(viewer.locator(".notice")).to_have_count(1)
    expect(viewer).not_to_contain_text("could not be loaded")
    expect(viewer.get_by_role("button", name="Try again")).to_have_count(0)
    viewer.get_by_role("button", name="Download", exact=True).click()
    dialog = viewer.get_by_role("dialog", name="Download log")
    expect(dialog.get_by_role("alert")).to_have_count(1)
    expect(dialog.get_by_role("alert")).to_contain_text("You are not signed in")
    expect(dialog.get_by_role("button", name="Download CSV")).to_be_disabled()
    expect(dialog).not_to_contain_text(re.compile("Counting|Loading|Try again|Background exports"))
    assert_accessible(page)


def test_the_columns_of_a_view_belong_to_the_view(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 40)
    save(site, unique, "Narrow", columns=["occurred_at", "action"])
    page.goto(host_page(site, unique, [{"token": site.token(unique)}]))  # without `address`
    viewer = page.locator("auditlane-viewer")
    heads = viewer.get_by_role("columnheader")
    expect(heads).to_have_count(7)
    tab(viewer, "Narrow").click()
    expect(heads).to_have_count(2)
    viewer.get_by_role("button", name="Columns").click()
    viewer.get_by_label("Severity", exact=True).check()
    expect(heads).to_have_count(3)
    page.keyboard.press("Escape")
    expect(tab(viewer, "Narrow (changed, not saved)")).to_be_visible()
    tab(viewer, "All events").click()
    expect(heads).to_have_count(7)  # the reader's own columns are unchanged
    tab(viewer, "Narrow").click()
    expect(heads).to_have_count(2)
    viewer.get_by_role("button", name="Options for Narrow").click()
    expect(viewer.get_by_role("button", name="Rename")).to_be_visible()
    expect(viewer.get_by_role("button", name="Copy link")).to_have_count(0)  # the page has no address of its own


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_many_views_fit_on_every_screen(site: Site, unique: str, page: Page, width: int) -> None:
    site.fill(unique, 60)
    for number in range(12):
        last = save(site, unique, f"Ansicht Nummer {number}", shared=number % 2 == 0, query="outcome:success")
    page.set_viewport_size({"width": width, "height": 844})
    viewer = open_log(site, page, unique, path=f"/?view={last['id']}")
    selected = tab(viewer, last["name"])
    expect(selected).to_have_attribute("aria-selected", "true")
    expect(selected).to_be_in_viewport(ratio=0.9)
    viewer.evaluate("(element) => (element.lang = 'de')")
    expect(viewer.get_by_role("tablist", name="Ansichten")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if width == PHONE["width"]:
        expect(viewer.locator("auditlane-tiles .waiting")).to_have_count(0)
        log = viewer.locator("auditlane-table").bounding_box()
        assert log
        assert log["height"] >= 0.6 * PHONE["height"]
    assert_accessible(page)
