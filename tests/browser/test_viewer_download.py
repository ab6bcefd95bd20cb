"""Tests downloads in the viewer: the summary, progress, failures, and exports created in the background."""

from __future__ import annotations

import csv
import io
import re

from fixtures.axe import violations
from fixtures.host_page import complaints, host_page
from fixtures.site import Site
from playwright.sync_api import Locator, Page, expect
from workbook import sheets

from auditlane.access.permissions import Permission


def open_dialog(site: Site, page: Page, tenant: str, address: str = "") -> Locator:
    page.goto(
        host_page(site, tenant, [{"token": site.token(tenant, Permission.read, Permission.export), "address": ""}])
        + address
    )
    page.locator("auditlane-viewer").get_by_role("button", name="Download", exact=True).click()
    dialog = page.get_by_role("dialog", name="Download log")
    expect(dialog.get_by_role("radio", name="CSV")).to_be_focused()
    return dialog


def test_a_download_has_the_filtered_events_and_the_tables_columns(site: Site, unique: str, page: Page) -> None:
    messages = complaints(page)
    site.emit(
        *(
            {"tenant_id": unique, "action": action, "actor_id": "u-1", "actor_name": "=Jane"}
            for action in ("login", "logout")
        )
    )
    dialog = open_dialog(site, page, unique, "?query=action:login&range=24h&sort=occurred_at")
    for text in ("1 event", "action:login", "the last 24 hours", "regardless of the table’s order"):
        expect(dialog).to_contain_text(text)
    all_columns = dialog.get_by_role("radio", name=re.compile(r"All downloadable columns \(\d+\)"))
    in_file = dialog.get_by_text("In the file: ")
    names = in_file.inner_text().removesuffix(" and Conflict").split(" · ")
    expect(all_columns).to_have_accessible_name(re.compile(rf"\({len(names)}\)"))
    shown = page.locator("auditlane-table").get_by_role("columnheader", include_hidden=True).count()
    columns = dialog.get_by_role("radio", name=f"Columns of the table ({shown + 1})")  # with the resource's id
    columns.check()
    expect(dialog).not_to_contain_text("Metadata")
    expect(in_file).to_contain_text(re.compile(r" · Resource · Resource ID · .* and Conflict$"))
    with page.expect_download() as started:
        dialog.get_by_role("button", name="Download CSV").click()
    assert started.value.suggested_filename.startswith(f"audit-{unique}-")
    assert started.value.path().read_bytes().startswith(b"\xef\xbb\xbf")
    [row] = csv.DictReader(io.StringIO(started.value.path().read_text(encoding="utf-8-sig"), newline=""))
    assert (row["Action"], row["Actor"]) == ("login", "'=Jane")
    assert "Metadata" not in row
    expect(dialog.get_by_role("status").filter(has_text="Saved: 1 event")).to_be_visible()
    expect(dialog.get_by_role("button", name="Download CSV")).to_be_focused()
    expect(dialog.get_by_role("radio", name="Raw, for programs")).to_be_hidden()
    dialog.get_by_text("More options").click()
    dialog.get_by_role("radio", name="Raw, for programs").check()
    dialog.get_by_role("combobox", name="Separator").select_option("Semicolon")
    with page.expect_download() as started:
        dialog.get_by_role("button", name="Download CSV").click()
    header, line = started.value.path().read_bytes().decode().splitlines()
    assert header.startswith('"Time";')
    assert re.match(r'"\d{4}-\d\d-\d\dT[\d:.]+Z";', line)
    assert violations(page) == []
    expect(dialog.get_by_role("combobox", name="Time zone")).to_have_count(0)  # times are in UTC
    dialog.get_by_role("radio", name="Excel").check()
    dialog.get_by_role("combobox", name="Time zone").select_option("Asia/Tokyo")
    expect(dialog).to_contain_text("Times in the file are in Asia/Tokyo. This page shows them in ")
    with page.expect_download() as started:
        dialog.get_by_role("button", name="Download Excel").click()
    [[titles, cells]] = sheets(started.value.path().read_bytes())
    assert titles["A"] == "Time (Asia/Tokyo)"
    assert "=Jane" in cells.values()
    assert isinstance(cells["A"], float)
    dialog.get_by_role("radio", name="JSON Lines").check()
    expect(dialog).to_contain_text("In the file: occurred_at · ")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Download", exact=True).click()
    expect(dialog.get_by_role("radio", name="JSON Lines")).to_be_checked()  # remembered
    assert messages == []


def test_the_next_download_has_the_events_since_the_last(site: Site, unique: str, page: Page) -> None:
    site.emit({"tenant_id": unique, "action": "login", "actor_id": "u-1"})
    dialog = open_dialog(site, page, unique, "?query=action:login")
    dialog.get_by_text("More options").click()
    since = dialog.get_by_role("checkbox", name="Only events since my last download")
    expect(since).to_have_accessible_description(re.compile("not downloaded this search yet"))
    since.check()
    with page.expect_download():
        dialog.get_by_role("button", name="Download CSV").click()
    expect(dialog.get_by_role("status").filter(has_text="Saved: 1 event")).to_be_visible()
    site.emit({"tenant_id": unique, "action": "login", "actor_id": "u-2"})
    dialog = open_dialog(site, page, unique, "?query=action:login&range=24h")
    dialog.get_by_text("More options").click()
    since = dialog.get_by_role("checkbox", name="Only events since my last download")
    expect(since).to_have_accessible_description(re.compile("Last download:"))
    since.check()
    expect(dialog).to_contain_text("1 event")
    with page.expect_download() as started:
        dialog.get_by_role("button", name="Download CSV").click()
    [row] = csv.DictReader(io.StringIO(started.value.path().read_text(encoding="utf-8-sig"), newline=""))
    assert row["Actor ID"] == "u-2"


def test_without_matching_events_the_download_is_disabled(site: Site, unique: str, page: Page) -> None:
    dialog = open_dialog(site, page, unique)
    expect(dialog).to_contain_text("No events match, so there is nothing to download.")
    expect(dialog.get_by_role("button", name="Download CSV")).to_be_disabled()


def test_a_failed_download_is_reported_and_can_be_retried(site: Site, unique: str, page: Page) -> None:
    site.emit({"tenant_id": unique, "action": "login", "actor_id": "u-1"})
    dialog = open_dialog(site, page, unique)
    expect(dialog).to_contain_text("1 event")
    page.route("**/v1/export?*", lambda route: route.abort())
    dialog.get_by_role("button", name="Download CSV").click()
    expect(dialog.get_by_role("alert")).to_contain_text("cannot be reached from this page")
    page.unroute("**/v1/export?*")
    with page.expect_download():
        dialog.get_by_role("button", name="Try again").click()
    expect(dialog.get_by_role("alert")).to_have_count(0)


def test_large_files_are_created_in_the_background(site: Site, unique: str, page: Page) -> None:
    site.generate(unique, 50_001)
    dialog = open_dialog(site, page, unique)
    expect(dialog).to_contain_text("50,001 events")
    expect(dialog).to_contain_text("This file is large")
    assert violations(page) == []

    dialog.get_by_role("radio", name="PDF").check()  # its limit is known in advance
    expect(dialog).to_contain_text("A PDF can contain at most 5,000 events")
    expect(dialog.get_by_role("button", name="Download PDF")).to_be_disabled()

    dialog.get_by_role("radio", name="Parquet").check()
    dialog.get_by_role("button", name="Prepare Parquet").click()
    job = dialog.get_by_role("listitem").filter(has_text="Parquet")
    expect(job).to_contain_text("Ready", timeout=60_000)
    expect(job).to_contain_text("available until")
    expect(dialog).not_to_contain_text("is being prepared")
    assert violations(page) == []
    with page.expect_download() as started:
        job.get_by_role("button", name="Download file: Parquet, 50,001 events").click()
    assert started.value.path().read_bytes()[:4] == b"PAR1"
    job.get_by_role("button", name="Remove: Parquet, 50,001 events").click()
    expect(job).to_have_count(0)
    expect(dialog).to_contain_text("No background exports yet.")

    dialog.get_by_role("radio", name="CSV").check()
    with page.expect_download() as started:
        dialog.get_by_role("button", name="Download now").click()
    assert started.value.path().read_bytes().count(b'"Person ') == 50_001


def test_too_many_exports_are_reported(site: Site, unique: str, page: Page) -> None:
    site.emit({"tenant_id": unique, "action": "login", "actor_id": "u-1"})
    token = site.token(unique)
    while site.request("/v1/exports", token, method="POST", body={"format": "csv"}).status == 202:
        pass
    dialog = open_dialog(site, page, unique)
    dialog.get_by_role("button", name="Prepare in background").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Too many exports")
