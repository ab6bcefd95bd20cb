"""Tests the settings on a vendor's page with real services. Every change is verified through the service's API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fixtures.axe import violations
from fixtures.host_page import complaints, host_page, policy
from fixtures.site import Site, follow, wait_for
from fixtures.workers import wait_until
from playwright.sync_api import Locator, Page, Route, expect

from auditlane.access.permissions import Permission

ADMIN = (Permission.read, Permission.configure, Permission.contract)
CONFIGURER = (Permission.read, Permission.configure)
_SCRIPT = """
const settings = document.querySelector("auditlane-settings");
window.notified = [];
for (const name of ["token-expired", "auditlane-problem", "auditlane-saved"]) {
  settings.addEventListener(name, () => {
    window.notified.push(name);
    if (name === "token-expired" && window.next) settings.token = window.next;
  });
}
"""


def open_settings(site: Site, page: Page, token: str, **attributes: str) -> Locator:
    """Open a vendor's page, with a strict Content-Security-Policy, that shows the settings for this token."""
    all_attributes = {"base-url": site.url, "token": token} | attributes
    site.vendor.put("/settings.js", _SCRIPT, "text/javascript")
    site.vendor.put("/settings.css", "body { margin: 0; }", "text/css")
    written = " ".join(f'{name}="{value}"' for name, value in all_attributes.items())
    page.goto(
        site.vendor.put(
            "/settings.html",
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Vendor</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta http-equiv="Content-Security-Policy" content="{policy(site.url)}">'
            '<link rel="icon" href="data:,"><link rel="stylesheet" href="/settings.css">'
            '<script type="module" src="/settings.js"></script>'  # registered first, so that it receives every event
            f'<script type="module" src="{site.url}/static/viewer/auditlane-settings.js"></script></head>'
            f"<body><auditlane-settings {written}></auditlane-settings></body></html>",
        )
    )
    return page.locator("auditlane-settings")


def open_as_admin(site: Site, page: Page, tenant: str, user: str = "jane", **attributes: str) -> Locator:
    """Open the settings as a user with all permissions, and wait until they have loaded."""
    found = open_settings(site, page, site.token(tenant, *ADMIN, user=user), **attributes)
    expect(found.get_by_role("list", name="Fields in display order")).to_be_visible()
    return found


def assert_accessible(page: Page, settings: Locator) -> None:
    page.evaluate("scrollTo(0, document.body.scrollHeight)")  # so that the floating bar covers nothing
    for theme in ("light", "dark"):
        settings.evaluate("(element, theme) => (element.theme = theme)", theme)
        assert violations(page, "auditlane-settings") == [], theme
    settings.evaluate("(element) => (element.theme = 'auto')")


def expect_saved(settings: Locator) -> None:
    expect(settings.locator(".bar.done")).to_have_text("Saved.")


def request_structure(
    site: Site, tenant: str, method: str = "GET", rest: str = "", body: Any = None, user: str = "jane"
) -> Any:
    """Call the structure API as an admin of the tenant, and return the response's JSON."""
    path = f"/v1/tenants/{tenant}/structure{rest}"
    response = site.request(path, site.token(tenant, *ADMIN, user=user), method=method, body=body, if_match="*")
    assert response.status < 300, response.data
    return response.json() if response.data else None


def actions_of(site: Site, tenant: str, token: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.request(f"/v1/tenants/{tenant}/structure/actions", token).json()["actions"]
    return found


def stored_field(site: Site, tenant: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in request_structure(site, tenant)["fields"] if one["name"] == name)
    return found


def stored_names(site: Site, tenant: str) -> list[str]:
    return [one["name"] for one in request_structure(site, tenant)["fields"]]


def texts(cells: Locator) -> list[str]:
    return [" ".join(one.split()) for one in cells.all_inner_texts()]


def field_row(settings: Locator, name: str) -> Locator:
    return settings.locator(f'li[data-name="{name}"]')


def test_changes_made_by_keyboard_are_saved(site: Site, unique: str, page: Page) -> None:
    messages = complaints(page)
    site.fill(unique, 5)
    settings = open_as_admin(site, page, unique)
    expect(settings.get_by_role("heading", level=2)).to_contain_text(unique)
    preview = settings.get_by_role("region", name="Table preview").get_by_role("columnheader")
    expect(preview).to_have_text(["Time", "Actor", "Action", "Resource", "Outcome", "Severity", "IP address"])
    before = stored_names(site, unique)
    status = settings.locator("> *").locator("[role=status]").last

    settings.get_by_role("button", name="Move IP address up").focus()
    page.keyboard.press("Enter")
    expect(settings.get_by_role("button", name="Move IP address up")).to_be_focused()
    expect(status).to_have_text("IP address moved to position 6 of 20")
    for _ in range(4):
        page.keyboard.press("Alt+ArrowUp")
    expect(settings.get_by_role("button", name="Move IP address up")).to_be_focused()
    expect(status).to_have_text("IP address moved to position 2 of 20")
    settings.get_by_role("checkbox", name="Table: Outcome").focus()
    page.keyboard.press("Space")
    name = settings.get_by_role("textbox", name="Name of Resource", exact=True)
    name.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("Thing")
    expect(preview).to_have_text(["Time", "IP address", "Actor", "Action", "Thing", "Severity"])
    bar = settings.get_by_role("region", name="Unsaved changes")
    expect(bar).to_contain_text("3 unsaved changes")
    expect(field_row(settings, "ip")).to_contain_text("unsaved")
    bar.get_by_text("3 unsaved changes").click()
    expect(bar.get_by_role("listitem")).to_have_text(
        ["Resource: renamed from “Resource” to “Thing”", "Outcome: hidden from the table", "Order changed: IP address"]
    )
    assert_accessible(page, settings)
    assert stored_names(site, unique) == before

    bar.get_by_role("button", name="Save").focus()
    page.keyboard.press("Enter")
    expect_saved(settings)
    expect(settings.locator(".bar.done")).to_be_focused()
    expect(field_row(settings, "ip")).not_to_contain_text("unsaved")
    expect(field_row(settings, "outcome")).to_contain_text("changed for this tenant")
    assert stored_names(site, unique) == [before[0], "ip", *[one for one in before[1:] if one != "ip"]]
    assert stored_field(site, unique, "resource")["displayName"] == "Thing"
    assert stored_field(site, unique, "outcome")["showInTable"] is False
    untouched = [one for one in request_structure(site, unique)["fields"] if one["origin"] == "default"]
    assert len(untouched) == 16  # only fields that moved or made room have their own settings
    assert page.evaluate("notified") == ["auditlane-saved"]

    settings.get_by_role("button", name="Reset Thing to the default").click()
    settings.get_by_role("button", name="Save").click()
    expect_saved(settings)
    expect(field_row(settings, "resource")).to_contain_text("built-in")
    assert stored_field(site, unique, "resource")["origin"] == "default"
    assert messages == []


def test_links_to_the_application_are_edited(site: Site, unique: str, page: Page) -> None:
    messages = complaints(page)
    settings = open_settings(site, page, site.token(unique, *ADMIN))
    card = settings.locator("auditlane-settings-links")
    expect(card).to_contain_text("There are no links yet.")
    field_row(settings, "ip").get_by_role("checkbox", name="Table").click()  # an unsaved change stays unsaved
    card.get_by_role("button", name="Add link").focus()
    page.keyboard.press("Enter")
    form = settings.get_by_role("dialog", name="Add a link")
    expect(form.get_by_label("Type of resource")).to_be_focused()
    page.keyboard.type("document")
    form.get_by_label("Address", exact=True).fill("https://app.example/{id}")
    page.keyboard.press("Enter")
    expect(form).to_contain_text("{id} is not a placeholder. Use {resource_id}, {resource}, {tenant_id}.")
    expect(form.get_by_label("Address", exact=True)).to_be_focused()
    assert_accessible(page, settings)
    address = "https://app.example/documents/{resource_id}"
    form.get_by_label("Address", exact=True).fill(address)

    # A concurrent change to another field does not block this one.
    other = {"fields": [{"name": "resource", "displayName": "Thing"}]}
    path = f"/v1/tenants/{unique}/structure"
    answer = site.request(path, site.token(unique, *ADMIN), method="PUT", body=other, if_match="*")
    assert answer.status == 200
    page.keyboard.press("Enter")
    expect(card.get_by_role("button", name="Add link")).to_be_focused()
    row = card.locator('li[data-type="document"]')
    expect(row).to_contain_text(address)
    expect(card).to_contain_text("Set for this tenant, instead of the links for all tenants.")
    expect(field_row(settings, "ip")).to_contain_text("unsaved")
    assert stored_field(site, unique, "resource")["links"] == {"document": address}
    assert stored_field(site, unique, "resource")["displayName"] == "Thing"
    assert stored_field(site, unique, "ip")["origin"] == "default"

    row.get_by_role("button", name="Remove the link for document").click()
    settings.get_by_role("dialog").get_by_role("button", name="Remove link").click()
    expect(card).to_contain_text("There are no links yet.")
    assert stored_field(site, unique, "resource")["links"] == {}
    assert all("412" in message for message in messages)  # from the concurrent change


def test_an_environments_actions_are_named(site: Site, unique: str, page: Page) -> None:
    messages = complaints(page)
    settings = open_settings(site, page, site.served.client_token("vendor"))
    card = settings.locator("auditlane-settings-actions")
    name = f"{unique}.paid"
    card.get_by_role("button", name="Add action").focus()
    page.keyboard.press("Enter")
    form = settings.get_by_role("dialog", name="Add an action")
    expect(form.get_by_label("Name of the action")).to_be_focused()
    page.keyboard.type("user.login")
    expect(form).to_contain_text("This action has a built-in label. Yours will replace it.")
    form.get_by_label("Name of the action").fill(name)
    form.get_by_label("Label in English").fill("Invoice paid")
    page.keyboard.press("Enter")
    expect(form).to_contain_text("Correct the marked entries first.")
    expect(form.get_by_label("Label in German")).to_be_focused()
    page.keyboard.type("Rechnung bezahlt")
    assert_accessible(page, settings)
    page.keyboard.press("Enter")
    row = card.locator(f'li[data-name="{name}"]')
    expect(row.get_by_role("button", name="Edit Invoice paid")).to_be_focused()
    expect(row).to_contain_text("Rechnung bezahlt")
    reader = site.token(unique)
    [own] = [one for one in actions_of(site, unique, reader) if one["name"] == name]
    assert (own["label"], own["own"]) == ({"en": "Invoice paid", "de": "Rechnung bezahlt"}, True)

    # A concurrent change to the environment's settings does not block this one.
    body = {"actions": [{"name": f"{unique}.sent", "label": {"en": "Invoice sent", "de": "Rechnung gesendet"}}]}
    vendor = site.served.client_token("vendor")
    assert site.request("/v1/structure/actions", vendor, method="POST", body=body).status == 200
    page.keyboard.press("Enter")
    form = settings.get_by_role("dialog", name=f"Labels for {name}")
    form.get_by_label("Label in English").fill("Bill paid")
    form.get_by_text("Sentences", exact=True).click()
    form.get_by_label("Sentence in English", exact=True).fill("{actr} paid {resource_id}")
    form.get_by_label("Sentence in German", exact=True).fill("{actor} hat {resource_id} bezahlt")
    form.get_by_role("button", name="Save labels").click()
    expect(form).to_contain_text("{actr} is not a placeholder. Use {actor}, {object},")
    form.get_by_label("Sentence in English", exact=True).fill("{actor} paid {resource_id}")
    assert_accessible(page, settings)
    form.get_by_role("button", name="Save labels").click()
    expect(row).to_contain_text("Bill paid")
    expect(card.locator(f'li[data-name="{unique}.sent"]')).to_be_visible()
    [own] = [one for one in actions_of(site, unique, reader) if one["name"] == name]
    assert own["sentence"] == {"en": "{actor} paid {resource_id}", "de": "{actor} hat {resource_id} bezahlt"}
    settings.evaluate("(element) => (element.lang = 'de')")
    expect(row.locator(".label")).to_have_text("Rechnung bezahlt")
    card.locator("summary").click()
    expect(card.get_by_role("list", name="Mitgelieferte Bezeichnungen")).to_contain_text("Anmeldung fehlgeschlagen")
    assert_accessible(page, settings)
    for action in (name, f"{unique}.sent"):
        card.locator(f'li[data-name="{action}"] .remove').click()
        settings.get_by_role("button", name="Bezeichnung entfernen", exact=True).click()
        expect(card.locator(f'li[data-name="{action}"]')).to_have_count(0)
    expect(card.get_by_role("button", name="Aktion hinzufügen")).to_be_focused()
    assert not any(one["own"] for one in actions_of(site, unique, reader) if unique in one["name"])
    assert [one for one in messages if "412" not in one] == []


def test_the_preview_is_translated_and_the_saved_notice_disappears(site: Site, unique: str, page: Page) -> None:
    messages = complaints(page)
    request_structure(site, unique, "PUT", body={"fields": [{"name": "action", "displayName": "Deed"}]})
    site.emit(
        {
            "tenant_id": unique,
            "action": "login",
            "actor_id": "u-23",
            "resource": "session",
            "resource_id": "s-1",
            "outcome": "success",
        }
    )
    page.goto(host_page(site, unique, [{"token": site.token(unique, *ADMIN), "lang": "de"}]))
    viewer = page.locator("auditlane-viewer")
    row_of = viewer.get_by_role("row").filter(has_text="login")
    expect(row_of).to_have_count(1)
    heads = [one.strip() for one in viewer.locator(".head .name").all_inner_texts()]
    notified = texts(row_of.get_by_role("gridcell"))
    assert heads[:4] == ["Zeit", "Akteur", "Deed", "Ressource"]
    assert notified[1:5] == ["u-23", "login", "session s-1", "Erfolg"]

    viewer.get_by_role("button", name="Einstellungen").click()
    settings = viewer.locator("auditlane-settings")
    preview = settings.locator("auditlane-settings-preview")
    expect(preview.get_by_role("columnheader")).to_have_text(heads)
    expect(preview).to_contain_text("s-1")
    assert texts(preview.get_by_role("row").filter(has_text="s-1").get_by_role("cell"))[1:] == notified[1:]
    name = field_row(settings, "occurred_at").get_by_role("textbox")
    expect(name).to_have_accessible_name("Name von Zeit")
    expect(name).to_have_value("Zeit")
    expect(field_row(settings, "action").get_by_role("textbox")).to_have_value("Deed")
    page.clock.install()
    name.fill("")
    name.press_sequentially("Time")
    expect(name).to_have_value("Time")  # a default label is not translated while it is being typed
    name.press_sequentially("stamp")
    settings.locator("auditlane-settings-bar summary").click()
    expect(settings.locator("auditlane-settings-bar li")).to_have_text("Zeit: von „Zeit“ in „Timestamp“ umbenannt")
    name.fill("Zeit")
    expect(settings.locator(".bar")).to_have_count(0)  # the default label again, so nothing to save
    name.fill("Timestamp")
    save = settings.get_by_role("button", name="Speichern")
    sent: list[Route] = []
    page.route("**/structure", lambda route: sent.append(route) if route.request.method == "PUT" else route.continue_())
    save.click()
    settings.get_by_role("checkbox", name="Filter: Ressource", exact=True).uncheck()  # while the save is running
    sent[0].continue_()
    page.unroute("**/structure")
    expect(settings.locator("auditlane-settings-bar li")).to_have_text(["Ressource: nicht als Filter verfügbar"])
    save.click()
    expect(settings.locator(".bar.done")).to_be_focused()
    assert stored_field(site, unique, "occurred_at")["displayName"] == "Timestamp"
    assert stored_field(site, unique, "resource")["filterable"] is False
    place = page.evaluate("scrollY")
    page.clock.fast_forward(10_000)
    expect(settings.locator(".bar")).to_have_count(0)
    expect(settings.get_by_role("heading", level=2)).to_be_focused()
    assert page.evaluate("scrollY") == place
    settings.get_by_role("button", name="Feld hinzufügen").click()
    expect(settings.get_by_role("dialog").get_by_role("textbox").first).to_be_focused()
    assert messages == []


def test_changes_are_discarded_and_rows_are_dragged(site: Site, unique: str, page: Page) -> None:
    settings = open_as_admin(site, page, unique)
    rows = settings.get_by_role("list", name="Fields in display order").get_by_role("listitem")

    def order() -> list[str]:
        found: list[str] = rows.evaluate_all("(rows) => rows.slice(0, 4).map((one) => one.dataset.name)")
        return found

    def drag(name: str, onto: str) -> None:
        target = field_row(settings, onto).bounding_box()
        field_row(settings, name).locator(".grip").hover()
        page.mouse.down()
        assert target
        page.mouse.move(target["x"] + 40, target["y"] + target["height"] - 4, steps=8)

    assert order() == ["occurred_at", "actor_name", "action", "resource"]
    drag("occurred_at", "action")
    assert order() == ["actor_name", "action", "occurred_at", "resource"]
    expect(field_row(settings, "occurred_at")).to_have_css("outline-style", "solid")
    page.keyboard.press("Escape")
    expect(field_row(settings, "occurred_at")).to_have_css("outline-style", "none")
    assert order() == ["occurred_at", "actor_name", "action", "resource"]
    page.mouse.up()
    drag("occurred_at", "action")
    page.mouse.up()
    expect(settings.locator("[role=status]").last).to_have_text("Time moved to position 3 of 20")
    expect(settings.get_by_text("1 unsaved change")).to_be_visible()
    settings.get_by_role("button", name="Discard").click()
    expect(settings.get_by_role("heading", level=2)).to_be_focused()
    assert order() == ["occurred_at", "actor_name", "action", "resource"]
    expect(settings.get_by_role("button", name="Save")).to_have_count(0)


def test_a_field_is_added_with_rules_changed_removed_and_restored(site: Site, unique: str, page: Page) -> None:
    settings = open_as_admin(site, page, unique)
    settings.get_by_role("button", name="Add field").click()
    form = settings.get_by_role("dialog", name="Add field")
    expect(form.get_by_label("Display name")).to_be_focused()
    page.keyboard.type("Order no.")
    name = form.get_by_label("Name in code")
    expect(name).to_have_value("order_no")
    expect(form.get_by_role("region", name="How your service sends it")).to_contain_text('fields={"order_no": "A-17"}')
    expect(form.get_by_role("columnheader").last).to_contain_text("Order no.")
    name.fill("action")
    expect(form.get_by_text("Every event already has a field with this name.")).to_be_visible()
    form.get_by_role("button", name="Add field").click()
    expect(name).to_be_focused()
    assert_accessible(page, settings)
    name.fill("order_no")
    form.get_by_label("Maximum length").fill("20")
    pattern = form.get_by_label("Pattern")
    pattern.fill("(?i)x")
    expect(form.get_by_text("Remove flags")).to_be_visible()
    pattern.fill("[A-Z")  # only the service can validate it
    form.get_by_role("button", name="Add field").click()
    expect(pattern).to_have_attribute("aria-invalid", "true")
    expect(form.locator("#fault-pattern")).to_contain_text("is not valid")
    pattern.fill("[A-Z]{2}-[0-9]+")
    form.get_by_role("button", name="Add field").click()
    expect(form).to_have_count(0)
    expect(settings.locator("li.added")).to_contain_text("was added.")
    expect(settings.locator("li.added .edit")).to_be_focused()
    expect(settings.locator("li.added")).to_be_in_viewport(ratio=1)
    expect(field_row(settings, "order_no")).to_contain_text("Text · added for this tenant".replace(" · ", ""))
    expect(settings.get_by_role("columnheader").last).to_contain_text("Order no.")
    contract = request_structure(site, unique, rest="/fields")
    assert contract["exclusive"] is False
    assert contract["fields"][0]["rules"] == {"maxLength": 20, "pattern": "[A-Z]{2}-[0-9]+"}

    settings.get_by_role("button", name="Edit Order no.").click()
    form = settings.get_by_role("dialog", name="Edit “Order no.”")
    expect(form.get_by_label("Name in code")).to_be_disabled()
    form.get_by_label("Type").select_option("Choice")
    form.get_by_label("Allowed values").fill("eu\nus")
    form.get_by_label("Default value").select_option("eu")
    form.get_by_text("Services that do not know the field yet").click()
    form.get_by_label("Reject events").check()
    form.get_by_role("button", name="Save field").click()
    expect(form).to_have_count(0)
    expect(field_row(settings, "order_no")).to_contain_text("Choice")
    contract = request_structure(site, unique, rest="/fields")
    assert contract["exclusive"] is True
    assert contract["fields"][0] | {"default": "eu", "rules": {"oneOf": ["eu", "us"]}} == contract["fields"][0]

    settings.get_by_role("button", name="Remove Order no.").click()
    sure = settings.get_by_role("dialog", name="Remove “Order no.”?")
    expect(sure).to_contain_text("are kept")
    assert_accessible(page, settings)
    sure.get_by_role("button", name="Cancel").click()
    assert "order_no" in stored_names(site, unique)
    settings.get_by_role("checkbox", name="Table: Order no.").uncheck()
    settings.get_by_role("checkbox", name="Table: Source").check()
    settings.get_by_role("button", name="Remove Order no.").click()
    sure.get_by_role("button", name="Remove").click()
    expect(field_row(settings, "order_no")).to_have_count(0)
    assert "order_no" not in stored_names(site, unique)
    expect(settings.get_by_text("1 unsaved change")).to_be_visible()  # the change to the other field
    settings.get_by_role("button", name="Restore Order no.").click()
    expect(field_row(settings, "order_no")).to_be_visible()
    assert stored_field(site, unique, "order_no")["displayName"] == "Order no."


def test_a_conflict_is_explained_and_resolved(site: Site, unique: str, page: Page) -> None:
    request_structure(site, unique, "POST", "/fields", {"name": "gone", "displayName": "Gone"})
    mine = open_as_admin(site, page, unique)
    other = page.context.new_page()
    theirs = open_as_admin(site, other, unique, user="bob@example.com")
    theirs.get_by_role("textbox", name="Name of Action", exact=True).fill("Deed")
    theirs.get_by_role("checkbox", name="Sort: Severity").check()
    theirs.get_by_role("button", name="Save").click()
    expect_saved(theirs)
    theirs.get_by_role("button", name="Remove Gone").click()
    theirs.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(field_row(theirs, "gone")).to_have_count(0)
    other.close()

    mine.get_by_role("textbox", name="Name of Action", exact=True).fill("What")
    mine.get_by_role("checkbox", name="Table: IP address").uncheck()
    mine.get_by_role("checkbox", name="Table: Gone").uncheck()
    mine.get_by_role("button", name="Save").click()
    note = mine.get_by_role("region", name="Someone else has changed these settings")
    expect(note.get_by_role("heading")).to_be_focused()
    expect(note.locator("dl")).to_contain_text("bob@example.com")
    expect(note.locator("dl")).to_contain_text("Deed: renamed from “Action” to “Deed”")
    expect(note.locator("dl")).to_contain_text("Severity: sortable")
    expect(note.locator("dl")).to_contain_text("Gone: removed")
    expect(note.get_by_role("listitem")).to_have_text(["Deed, name: yours is “What”, theirs is “Deed”"])
    expect(note).to_contain_text("cannot be kept: Gone")
    assert stored_field(site, unique, "ip")["showInTable"] is True  # nothing was saved
    assert_accessible(page, mine)

    note.get_by_role("button", name="Reapply my changes").click()
    expect(note).to_have_count(0)
    expect(mine.get_by_text("2 unsaved changes")).to_be_visible()
    expect(mine.get_by_role("checkbox", name="Sort: Severity")).to_be_checked()
    mine.get_by_role("button", name="Save").click()
    expect_saved(mine)
    assert stored_field(site, unique, "action")["displayName"] == "What"
    assert stored_field(site, unique, "severity")["sortable"] is True
    assert stored_field(site, unique, "ip")["showInTable"] is False

    mine.get_by_role("checkbox", name="Table: IP address").check()
    request_structure(
        site, unique, "PUT", body={"fields": [{"name": "action", "displayName": "Act"}]}, user="bob@example.com"
    )
    mine.get_by_role("button", name="Save").click()
    note.get_by_role("button", name="Keep theirs, discard mine").click()
    expect(mine.get_by_role("textbox", name="Name of Act", exact=True)).to_be_visible()
    expect(mine.get_by_role("button", name="Save")).to_have_count(0)


def test_the_history_describes_each_change(site: Site, unique: str, page: Page) -> None:
    for number in range(12):
        body = {"fields": [{"name": "action", "displayName": f"Deed {number}"}]}
        request_structure(site, unique, "PUT", body=body, user=f"user-{number}")
    settings = open_as_admin(site, page, unique)
    settings.get_by_text("Show who changed what").click()
    entries = settings.get_by_role("list", name="History").get_by_role("listitem")
    expect(entries).to_have_count(10)
    expect(entries.first).to_contain_text("user-11")
    expect(entries.first).to_contain_text("Deed 11: renamed from “Deed 10” to “Deed 11”")
    expect(entries.first.locator("time")).to_be_visible()
    settings.get_by_role("button", name="Show older changes").click()
    expect(entries).to_have_count(12)
    expect(entries.last).to_contain_text("user-0")
    expect(entries.last).to_contain_text("Deed 0 (now “Deed 11”): renamed from “Action” to “Deed 0”")
    settings.get_by_role("checkbox", name="Export: Source").uncheck()
    settings.get_by_role("button", name="Save").click()
    expect(entries.first).to_contain_text("Source: excluded from exports")
    expect(entries.first).to_contain_text("jane")
    assert_accessible(page, settings)


def test_the_log_is_turned_off_and_on(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 2)
    settings = open_as_admin(site, page, unique)
    token = site.token(unique)
    expect(settings.get_by_text("This is the default.")).to_be_visible()
    settings.get_by_role("button", name="Switch off").click()
    sure = settings.get_by_role("dialog", name="Switch off the log?")
    expect(sure).to_contain_text("Events are still recorded")
    expect(sure.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(settings.get_by_role("button", name="Switch off")).to_be_focused()
    assert site.request("/v1/events", token).status == 200
    # Neither another user's unrelated change nor an unsaved change prevents switching.
    settings.get_by_role("checkbox", name="Table: IP address").uncheck()
    request_structure(site, unique, "PUT", body={"fields": [{"name": "action", "displayName": "Deed"}]}, user="bob")
    settings.get_by_role("button", name="Switch off").click()
    sure.get_by_role("button", name="Switch off").click()
    expect(settings.get_by_text("The log is off").first).to_be_visible()
    assert site.request("/v1/events", token).json()["code"] == "AUDIT_LOGS_DISABLED"
    expect(settings.get_by_role("textbox", name="Name of Deed", exact=True)).to_be_visible()
    expect(settings.get_by_text("1 unsaved change")).to_be_visible()
    assert_accessible(page, settings)
    settings.get_by_role("button", name="Switch on").click()
    expect(settings.get_by_text("The log is on").first).to_be_visible()
    expect(settings.get_by_text("Set for this tenant, instead of the default.")).to_be_visible()
    assert request_structure(site, unique)["enabled"] is True
    settings.get_by_role("button", name="Use the default (on)").click()
    expect(settings.get_by_text("This is the default.")).to_be_visible()
    assert request_structure(site, unique)["enabled"] is None
    assert site.request("/v1/events", token).status == 200


def test_readers_see_the_settings_and_others_are_refused(site: Site, unique: str, page: Page) -> None:
    request_structure(site, unique, "POST", "/fields", {"name": "own", "displayName": "Own"})
    settings = open_settings(site, page, site.token(unique, Permission.read), lang="de")
    expect(settings.get_by_text("Sie können diese Einstellungen ansehen")).to_be_visible()
    expect(field_row(settings, "own")).to_contain_text("für diesen Mandanten hinzugefügt")
    expect(settings.get_by_role("img", name="Sortieren: Nein").first).to_be_visible()
    for role in ("checkbox", "textbox", "button"):
        expect(settings.get_by_role(role)).to_have_count(0)  # type: ignore[arg-type]
    assert_accessible(page, settings)
    settings = open_settings(site, page, site.token(unique, Permission.export))
    expect(settings.get_by_role("alert")).to_contain_text("You don’t have access")
    assert page.evaluate("notified") == ["auditlane-problem"]
    assert_accessible(page, settings)


def test_configure_permission_alone_does_not_offer_fields_and_rules(site: Site, unique: str, page: Page) -> None:
    messages = complaints(page)
    for name in ("tier", "gone"):
        request_structure(
            site, unique, "POST", "/fields", {"name": name, "displayName": name.title(), "rules": {"maxLength": 9}}
        )
    request_structure(site, unique, "DELETE", "/fields/gone")
    settings = open_settings(site, page, site.token(unique, *CONFIGURER))
    expect(settings.get_by_role("list", name="Fields in display order")).to_be_visible()
    expect(settings.get_by_text("requires the permission audits:contract")).to_be_visible()
    expect(settings.get_by_role("region", name="Removed fields")).to_contain_text("Gone")
    for label in ("Add field", "Edit Tier", "Remove Tier", "Restore Gone"):
        expect(settings.get_by_role("button", name=label)).to_have_count(0)
    expect(
        settings.locator("auditlane-settings-fields").locator("#add, .edit, .remove, auditlane-settings-form")
    ).to_have_count(0)
    tier = field_row(settings, "tier")
    tier.get_by_role("textbox", name="Name of Tier").focus()
    page.keyboard.press("Alt+ArrowUp")
    tier.get_by_role("textbox", name="Name of Tier").fill("Level")
    tier.get_by_role("checkbox", name="Table: Level").uncheck()
    settings.get_by_role("button", name="Save", exact=True).click()
    expect_saved(settings)
    now = stored_field(site, unique, "tier")
    assert (now["displayName"], now["showInTable"]) == ("Level", False)
    assert_accessible(page, settings)
    settings.evaluate("(element) => (element.lang = 'de')")
    expect(settings.get_by_text("ist die Berechtigung audits:contract erforderlich")).to_be_visible()
    expect(settings.get_by_role("button", name="Feld hinzufügen")).to_have_count(0)
    site.sign_in(page, unique, *CONFIGURER)
    page.goto(f"{site.url}/?settings=1")
    expect(page.get_by_role("list", name="Fields in display order")).to_be_visible()
    expect(page.get_by_role("button", name="Add field")).to_have_count(0)
    assert messages == []


def test_contract_permission_alone_adds_fields_but_does_not_arrange_them(site: Site, unique: str, page: Page) -> None:
    settings = open_settings(site, page, site.token(unique, Permission.read, Permission.contract))
    settings.get_by_role("button", name="Add field").click()
    form = settings.get_by_role("dialog")
    form.get_by_label("Display name").fill("Tier")
    form.get_by_role("button", name="Add field").click()
    expect(field_row(settings, "tier")).to_contain_text("Tier")
    expect(settings.get_by_role("button", name="Move Tier up")).to_have_count(0)
    expect(settings.get_by_role("checkbox")).to_have_count(0)
    settings.get_by_role("button", name="Edit Tier").click()
    expect(form.get_by_label("Display name")).to_be_disabled()
    form.get_by_label("Maximum length").fill("9")
    form.get_by_role("button", name="Save field").click()
    expect(form).to_have_count(0)
    [found] = request_structure(site, unique, rest="/fields")["fields"]
    assert found["rules"] == {"maxLength": 9}
    assert_accessible(page, settings)


def test_an_environment_credential_edits_the_environments_settings(site: Site, page: Page) -> None:
    settings = open_settings(site, page, site.served.client_token("vendor"))
    expect(settings.get_by_role("heading", level=2)).to_contain_text("All tenants")
    settings.get_by_role("checkbox", name="Table: Source").check()
    expect(settings.get_by_role("columnheader").last).to_have_text("Source")
    settings.get_by_role("button", name="Switch off").click()
    expect(settings.get_by_role("dialog")).to_contain_text("Tenants whose own setting is “on” keep access")
    settings.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    settings.get_by_role("button", name="Discard").click()


def test_the_console_shows_a_tenants_settings(site: Site, unique: str, page: Page) -> None:
    follow(page, site.console_link("olga"))
    page.goto(f"{site.url}/console/settings?tenant={unique}")
    expect(page.get_by_role("button", name="Add field")).to_be_visible()
    page.get_by_role("checkbox", name="Table: Outcome").uncheck()
    page.get_by_role("button", name="Save").click()
    expect_saved(page.locator("auditlane-settings"))
    assert stored_field(site, unique, "outcome")["showInTable"] is False
    assert request_structure(site, unique)["changedBy"] == "olga"


@pytest.mark.parametrize("trouble", ["unreached", "away"])
def test_loading_fails_and_succeeds_on_retry(site: Site, unique: str, page: Page, trouble: str) -> None:
    def fail(route: Route) -> None:
        if trouble == "unreached":
            route.abort("connectionrefused")
        else:
            body = {"code": "STORE_UNAVAILABLE", "detail": "ClickHouse did not answer.", "request_id": "r-1"}
            headers = {"Access-Control-Allow-Origin": "*"}
            route.fulfill(status=503, headers=headers, content_type="application/problem+json", body=json.dumps(body))

    page.route("**/structure", fail)
    settings = open_settings(site, page, site.token(unique, *ADMIN))
    alert = settings.get_by_role("alert")
    problem = "cannot be reached from this page" if trouble == "unreached" else "temporarily unavailable"
    expect(alert).to_contain_text(problem)
    assert_accessible(page, settings)
    page.unroute("**/structure")
    settings.get_by_role("button", name="Try again").click()
    box = settings.get_by_role("checkbox", name="Table: Action")
    box.uncheck()
    page.route("**/structure", fail)
    settings.get_by_role("button", name="Save").click()
    expect(alert).to_contain_text("Your changes could not be saved")
    expect(box).not_to_be_checked()  # the change is not lost
    page.unroute("**/structure")
    settings.get_by_role("button", name="Save").click()
    expect_saved(settings)
    assert stored_field(site, unique, "action")["showInTable"] is False


def test_without_the_registry_the_presentation_can_be_changed(site: Site, unique: str, page: Page) -> None:
    body = json.dumps({"code": "REGISTRY_UNAVAILABLE", "detail": "The registry does not answer.", "request_id": "r-1"})
    headers = {"Access-Control-Allow-Origin": "*"}
    request_structure(site, unique, "POST", "/fields", {"name": "own", "displayName": "Own"})
    page.route(
        "**/structure/fields",
        lambda route: route.fulfill(
            status=503, headers=headers, content_type="application/problem+json", body=body
        ) if route.request.method != "OPTIONS" else route.continue_(),
    )  # fmt: skip
    settings = open_as_admin(site, page, unique)
    settings.get_by_role("button", name="Add field").click()
    form = settings.get_by_role("dialog")
    form.get_by_label("Display name").fill("Order")
    form.get_by_role("button", name="Add field").click()
    expect(form.get_by_role("alert").first).to_contain_text("Your changes could not be saved")
    expect(form.get_by_label("Name in code")).to_have_value("order")
    form.get_by_role("button", name="Cancel").click()
    settings.get_by_role("button", name="Edit Own").click()
    expect(form).to_contain_text("temporarily unavailable")
    form.get_by_role("button", name="Cancel").click()
    settings.get_by_role("checkbox", name="Table: Own").uncheck()
    settings.get_by_role("button", name="Save").click()
    expect_saved(settings)


def test_an_expired_token_is_renewed_and_unsaved_changes_stay(site: Site, unique: str, page: Page) -> None:
    ending = site.token_that_ends(unique, *ADMIN, seconds=6)
    settings = open_settings(site, page, ending)
    settings.get_by_role("checkbox", name="Table: Action").uncheck()
    page.evaluate("token => (window.next = token)", site.token(unique, *ADMIN))
    wait_until(lambda: site.request("/v1/session", ending).status == 401)
    settings.get_by_role("button", name="Save").click()
    expect_saved(settings)
    assert page.evaluate("notified") == ["token-expired", "auditlane-saved"]
    assert stored_field(site, unique, "action")["showInTable"] is False
    # A token for another tenant reloads everything.
    settings.get_by_role("checkbox", name="Table: Outcome").uncheck()
    settings.evaluate("(element, token) => (element.token = token)", site.token(f"{unique}-other", *ADMIN))
    expect(settings.get_by_role("heading", level=2)).to_contain_text(f"{unique}-other")
    expect(settings.get_by_role("checkbox", name="Table: Outcome")).to_be_checked()


def test_the_settings_are_in_the_history_and_leaving_them_unsaved_asks(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 3)
    site.sign_in(page, unique, *ADMIN)
    log, there = f"{site.url}/", f"{site.url}/?settings=1"
    ways = page.get_by_role("button", name="Settings")
    ways.click()
    box = page.get_by_role("checkbox", name="Table: Outcome")
    back = page.get_by_role("button", name="Back to the log")
    expect(back).to_be_focused()
    assert page.url == there
    box.uncheck()
    sure = page.get_by_role("dialog", name="Leave without saving?")
    for leave in (back.click, page.go_back):
        leave()
        sure.get_by_role("button", name="Stay").click()
        expect(box).not_to_be_checked()
        wait_until(lambda: page.evaluate("location.href") == there)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.dismiss()))
    page.evaluate("location.reload()")
    wait_for(page, "document.readyState === 'complete'")
    assert dialogs == ["beforeunload"]
    page.go_back()
    sure.get_by_role("button", name="Discard and leave").click()
    expect(ways).to_be_focused()
    assert page.url == log
    assert stored_field(site, unique, "outcome")["showInTable"] is True
    page.go_forward()
    expect(box).to_be_checked()
    back.click()
    expect(ways).to_be_focused()
    assert page.url == log
    page.goto(f"{there}&query=login")
    expect(box).to_be_visible()
    page.reload()
    expect(box).to_be_visible()
    back.click()
    expect(page.get_by_role("combobox", name="Search")).to_have_value("login")
    site.sign_in(page, unique, Permission.read)
    page.goto(there)
    expect(page.get_by_role("grid")).to_be_visible()
    expect(ways).to_have_count(0)


def test_the_settings_fit_a_narrow_page(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 3)
    page.set_viewport_size({"width": 360, "height": 740})
    settings = open_as_admin(site, page, unique)
    fits = "document.documentElement.scrollWidth <= 360"
    assert page.evaluate(fits)
    expect(field_row(settings, "action").get_by_text("Table", exact=True)).to_be_visible()
    settings.get_by_role("checkbox", name="Table: Outcome").uncheck()
    settings.get_by_role("button", name="Move Action down").click()
    bar = settings.get_by_role("region", name="Unsaved changes").bounding_box()
    assert bar
    assert 0 <= bar["y"] <= 740 - bar["height"]
    assert_accessible(page, settings)
    settings.get_by_role("button", name="Add field").click()
    form = settings.get_by_role("dialog")
    form.get_by_label("Display name").fill("Order number")
    box = form.bounding_box()
    assert box
    assert (box["x"] >= 0, box["x"] + box["width"] <= 360, box["height"] <= 740) == (True, True, True)
    assert form.evaluate("(element) => element.scrollWidth <= element.clientWidth")
    assert_accessible(page, settings)
