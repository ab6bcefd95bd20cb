"""Tests the short forms of one-time links."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

from auditlane.access.links import mint_console_link
from auditlane.access.short_links import ShortLinks
from auditlane.access.signing import SigningKeys
from auditlane.access.tokens import Operator

URL = "http://127.0.0.1:8480"


def minted(folder):
    signing = SigningKeys.load_or_create(folder / "signing-keys.json")
    return mint_console_link(signing, Operator("ops"), url=URL, now=datetime.now(UTC), session=timedelta(hours=8))


def code(link):
    return link.partition("?code=")[2]


def test_a_short_link_fits_into_a_line_and_stands_for_the_whole_code(tmp_path):
    link, links = minted(tmp_path), ShortLinks(tmp_path / "links")
    short = links.shorten(link)
    assert len(short) < 60 < len(link)
    assert links.code_of(code(short)) == code(link)
    assert links.code_of(code(link)) == code(link)
    assert links.shorten(link) != short  # codes are random, not derived from the link
    [one, other] = (tmp_path / "links").iterdir()
    assert {path.stat().st_mode & 0o777 for path in (one, other)} == {0o600}


def test_a_code_never_names_another_file(tmp_path):
    (tmp_path / "secret").write_text("content")
    (tmp_path / "links").mkdir()
    links = ShortLinks(tmp_path / "links")
    for given in ("../secret", "..", "", "A" * 22, "../" + "A" * 19, "a/" + "b" * 20, "A" * 22 + "\n"):
        assert links.code_of(given) == given


def test_files_of_expired_links_are_deleted(tmp_path):
    links = ShortLinks(tmp_path / "links")
    expired = tmp_path / "links" / code(links.shorten(minted(tmp_path)))
    ago = time.time() - 301
    os.utime(expired, (ago, ago))
    kept = links.shorten(minted(tmp_path))
    assert [path.name for path in (tmp_path / "links").iterdir()] == [code(kept)]


def test_without_a_writable_folder_links_stay_whole(tmp_path):
    (tmp_path / "links").write_text("a file, not a folder")
    link = minted(tmp_path)
    assert ShortLinks(tmp_path / "links").shorten(link) == link
