"""Tests how the viewer's build is served, and the pages that load it, with and without a build."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
import urllib3
from serving import HOUR, Served

from auditlane.access.permissions import Permission
from auditlane.server.pages.viewer import bundle as bundles
from auditlane.server.pages.viewer.bundle import PATH, Bundle
from auditlane.store.structure_cache import DEFAULT, StructureCache

VENDOR = "https://app.vendor.example"
HTML = {"accept": "text/html"}
CODE = "export const text = 'a';\n" * 100
MANIFEST = {
    "src/entries/page.ts": {
        "file": "page-aaaa1111.js", "name": "page", "isEntry": True, "imports": ["_kit.js"],
        "css": ["assets/page-1.css"], "dynamicImports": ["_late.js"],
    },
    "src/entries/embed.ts": {"file": "embed-bbbb2222.js", "name": "embed", "isEntry": True, "imports": ["_kit.js"]},
    "src/entries/viewer.ts": {"file": "auditlane-viewer.js", "name": "auditlane-viewer", "isEntry": True},
    "src/entries/settings.ts": {"file": "auditlane-settings.js", "name": "auditlane-settings", "isEntry": True},
    "_kit.js": {"file": "chunks/kit-cccc3333.js", "name": "kit", "imports": ["_lit.js", "src/entries/page.ts"]},
    "_lit.js": {"file": "chunks/lit-dddd4444.js", "name": "lit"},
    "_late.js": {"file": "chunks/late-eeee5555.js", "name": "late", "assets": ["assets/x-1.svg"]},
}  # fmt: skip


@pytest.fixture
def build(tmp_path) -> Path:
    """Write a build with a few small files."""
    folder = tmp_path / "viewer"
    for chunk in MANIFEST.values():
        for name in [chunk["file"], *chunk.get("css", []), *chunk.get("assets", [])]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"/* {name} */ {CODE}")
    (folder / ".vite").mkdir()
    (folder / ".vite" / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "not-in-the-manifest.js").write_text("1")
    (folder / "LICENSES.md").write_text("# Licenses")
    return folder


def served_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: Bundle | None, **settings: str) -> Served:
    monkeypatch.setattr(bundles, "load", lambda: bundle)
    monkeypatch.setattr(StructureCache, "of", lambda _, tenant: DEFAULT)
    return Served(tmp_path, **settings)


@pytest.fixture
def served(tmp_path, monkeypatch, build) -> Iterator[Served]:
    bundle = bundles.load(build)
    assert bundle
    with served_with(tmp_path, monkeypatch, bundle, frame_ancestors=VENDOR, cors_origins=VENDOR) as served:
        yield served


@pytest.fixture
def bare(tmp_path, monkeypatch) -> Iterator[Served]:
    """Serve without a build, and without any origin that may embed the viewer."""
    with served_with(tmp_path, monkeypatch, None) as served:
        yield served


def cookie(served: Served, *permissions: Permission, tenant: str = "acme") -> dict[str, str]:
    return {"cookie": served.session(tenant, *permissions)} | HTML


def test_an_entrys_files_are_listed(build):
    bundle = bundles.load(build)
    assert bundle
    page = bundle.entry("page")
    assert page.script == f"{PATH}/page-aaaa1111.js"
    assert page.preloads == (f"{PATH}/chunks/kit-cccc3333.js", f"{PATH}/chunks/lit-dddd4444.js")
    assert page.styles == (f"{PATH}/assets/page-1.css",)
    assert bundle.entry("auditlane-settings").preloads == ()
    with pytest.raises(KeyError):
        bundle.entry("late")
    assert bundles.load(build / "nothing") is None


def test_hashed_files_are_immutable_and_the_named_entries_are_revalidated(served):
    lasting = served.request(f"{PATH}/chunks/kit-cccc3333.js")
    assert lasting.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert lasting.headers["content-type"] == "text/javascript; charset=utf-8"
    assert served.request(f"{PATH}/assets/page-1.css").headers["content-type"] == "text/css; charset=utf-8"
    assert served.request(f"{PATH}/assets/x-1.svg").headers["content-type"] == "image/svg+xml"
    for name in ("auditlane-viewer.js", "auditlane-settings.js"):
        named = served.request(f"{PATH}/{name}")
        assert named.headers["cache-control"] == "public, no-cache"
        again = served.request(f"{PATH}/{name}", if_none_match=named.headers["etag"])
        assert (again.status, again.data) == (304, b"")
        assert again.headers["access-control-allow-origin"] == "*"


def test_any_page_may_load_them_as_modules(served):
    for origin in ({}, {"origin": VENDOR}, {"origin": "https://elsewhere.example"}):
        headers = served.request(f"{PATH}/auditlane-viewer.js", **origin).headers
        assert headers["access-control-allow-origin"] in ("*", origin.get("origin"))
        assert headers["cross-origin-resource-policy"] == "cross-origin"
        assert "Accept-Encoding" in headers["vary"]
    # Tenants' data is served only to auditlane's own pages.
    assert served.request("/v1/events", origin=VENDOR).headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in served.request("/v1/events", origin="https://elsewhere.example").headers


def test_files_are_compressed_for_clients_that_accept_it(served):
    name = f"{PATH}/page-aaaa1111.js"
    plain = served._pool.request("GET", served.url + name, headers={"accept-encoding": "identity"})
    packed = served._pool.request("GET", served.url + name, headers={"accept-encoding": "gzip"}, decode_content=False)
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 10
    head = served.request(name, method="HEAD")
    assert (head.status, head.data) == (200, b"")


def test_the_licenses_of_what_is_bundled_are_beside_it(served):
    answer = served.request(f"{PATH}/LICENSES.md")
    assert answer.data == b"# Licenses"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "immutable" not in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "name",
    ["nothing.js", "not-in-the-manifest.js", ".vite/manifest.json", "../log.css", "%2e%2e/log.css", "", "chunks/"],
)
def test_no_other_file_is_served(served, name):
    # Sent without urllib3's own pool, which would normalize the path.
    answer = served.request(f"{PATH}/{name}")
    assert answer.status == 404
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_loads_the_viewer_and_nothing_inline(served):
    answer = served.request("/", **cookie(served))
    html = answer.data.decode()
    assert answer.status == 200
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]* src=)", html)
    assert f'<script type="module" src="{PATH}/page-aaaa1111.js"></script>' in html
    assert html.count("modulepreload") == 2
    assert '<a href="/plain">' in html[html.index("<noscript>") :]
    for address in re.findall(r'(?:src|href)="(/static[^"]+)"', html):
        assert served.request(address).status == 200
    assert answer.headers["x-frame-options"] == "DENY"


def test_each_page_requires_its_permission(served):
    # The page names what the viewer lacks.
    assert served.request("/", **cookie(served, Permission.configure)).status == 200
    for path in ("/", "/plain"):
        stranger = served.request(path, **HTML)
        assert stranger.status == 401
        assert "Open the log from your application" in stranger.data.decode()
        assert "<code>" not in stranger.data.decode()
    operator = served.request("/", served.client_token("admin"))
    assert operator.status == 401


def test_people_without_a_session_are_led_to_the_sign_in_page(tmp_path, monkeypatch, build):
    settings = {"sign_in_url": "https://app.example/login?a=1&b=2", "frame_ancestors": VENDOR}
    bundle = bundles.load(build)
    with served_with(tmp_path, monkeypatch, bundle, **settings) as served:

        def link(path: str, **headers: str) -> str:
            html = served.request(path, **HTML, **headers).data.decode()
            found = re.search(r'href="(https://app[^"]+)">([^<]+)', html)
            assert found, html
            return f"{found[2]} {unescape(found[1])}"

        at = quote(served.url, safe="")
        login = "https://app.example/login?a=1&b=2&return_to="
        view = f"{at}%2F%3Fquery%3Daction%253Alogin%26range%3D7d"
        assert link("/?query=action%3Alogin&range=7d") == f"Sign in {login}{view}"
        assert link("/plain") == f"Sign in {login}{at}%2Fplain"
        assert link("/", cookie=served.session("acme", age=2 * HOUR)) == f"Sign in again {login}{at}%2F"
        left = served.request("/leave", method="POST", **HTML).data.decode()
        assert f'{login.replace("&", "&amp;")}{at}%2F"' in left
        for path, name in (("/", "sign-in-url"), ("/embed", "data-sign-in")):
            html = served.request(path, **cookie(served)).data.decode()
            assert f'{name}="https://app.example/login?a=1&amp;b=2"' in html
    monkeypatch.undo()
    with served_with(tmp_path, monkeypatch, bundle, serve_url="https://audit.example", **settings) as served:
        assert link("/plain") == f"Sign in {login}https%3A%2F%2Faudit.example%2Fplain"


def test_a_tenants_name_is_escaped(served):
    hostile = cookie(served, tenant='<b>"x')
    html = served.request("/", **hostile).data.decode()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html


def test_the_embed_page_names_its_origins(served):
    answer = served.request("/embed", **HTML)
    html = answer.data.decode()
    assert answer.status == 200
    assert f'data-origins="{VENDOR}"' in html
    assert "data-session" not in html
    assert "data-session" in served.request("/embed", **cookie(served)).data.decode()
    ended = served.session("acme", age=2 * HOUR)
    assert "data-session" not in served.request("/embed", cookie=ended, **HTML).data.decode()
    for path in ("/embed", "/enter?code=x"):
        headers = served.request(path, **HTML).headers
        assert f"frame-ancestors {VENDOR}" in headers["content-security-policy"]
        assert "x-frame-options" not in headers
        assert headers["cross-origin-resource-policy"] == "cross-origin"
    others = served.request("/", **cookie(served)).headers
    assert "frame-ancestors 'none'" in others["content-security-policy"]


def test_only_listed_origins_may_embed_the_log(tmp_path, monkeypatch, build):
    with served_with(tmp_path, monkeypatch, bundles.load(build)) as served:
        answer = served.request("/embed", **cookie(served))
        assert answer.status == 403
        assert "AUDITLANE_FRAME_ANCESTORS" in answer.data.decode()
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"


def test_without_a_build_the_plain_page_is_served_with_a_note(bare):
    for path in ("/", "/plain"):
        answer = bare.request(path, **cookie(bare))
        assert answer.status == 503  # this service has no store, and the page says that
        assert "make viewer" in answer.data.decode()
    embed = bare.request("/embed", **cookie(bare))
    assert embed.status == 503
    assert "make viewer" in embed.data.decode()
    asset = bare.request(f"{PATH}/auditlane-viewer.js")
    assert asset.status == 404
    assert "make viewer" in asset.json()["fix"]


def test_with_a_build_the_plain_page_leads_to_the_viewer(served):
    html = served.request("/plain", **cookie(served)).data.decode()
    assert 'href="/">Viewer' in html
    assert "make viewer" not in html


@pytest.mark.parametrize(("path", "language"), [("/", "Abmelden"), ("/embed", "in eine andere eingebettet")])
def test_the_page_is_in_the_browsers_language_or_the_requested_one(served, path, language):
    by_browser = served.request(path, accept_language="de", **cookie(served))
    named = served.request(f"{path}?lang=de", accept_language="en", **cookie(served))
    for german in (by_browser, named):
        assert '<html lang="de">' in german.data.decode()
        assert language in german.data.decode()
        assert "Accept-Language" in german.headers["vary"]
    assert 'lang="en"' in served.request(f"{path}?lang=en", accept_language="de", **cookie(served)).data.decode()
    if path == "/":
        assert 'action="/leave?lang=de"' in named.data.decode()
        assert 'action="/leave"' in by_browser.data.decode()


@pytest.mark.parametrize("path", ["/", "/plain"])
def test_the_signed_out_page_is_in_the_readers_language(served, path):
    german = served.request(path, accept="text/html", accept_language="de-AT,de;q=0.9,en;q=0.5")
    assert german.status == 401
    assert '<html lang="de">' in german.data.decode()
    assert "Sie sind nicht angemeldet" in german.data.decode()
    assert "Accept-Language" in german.headers["vary"]
    assert "You are not signed in" in served.request(path, accept="text/html").data.decode()


def test_a_shared_link_is_remembered_until_the_visitor_has_signed_in(served):
    shared = "/?query=action%3A%2Adeleted&range=7d&settings=1&token=x"
    answer = served.request(shared, **HTML)
    assert answer.status == 401
    assert "You will then see what this link shows" in answer.data.decode()
    cookie = answer.headers["set-cookie"].partition(";")[0]
    attributes = answer.headers["set-cookie"].lower()
    assert all(one in attributes for one in ("httponly", "samesite=lax", "max-age=900", "path=/"))

    body = {"tenant": "acme", "user": "jane", "link": True}
    token = served.client_token("vendor")

    def opened(**headers: str) -> urllib3.BaseHTTPResponse:
        link = served.request("/v1/viewer-tokens", token, method="POST", body=body).json()["link"]
        return served.request(link.removeprefix(served.url), method="POST", **headers)

    # Of the address, only the view is kept.
    back = opened(cookie=cookie)
    assert back.headers["location"] == "/?query=action%3A%2Adeleted&range=7d"
    assert re.search('auditlane_view="?"?; .*max-age=0', ", ".join(back.headers.getlist("set-cookie")), re.IGNORECASE)
    assert opened().headers["location"] == "/"
    for forged in ("https%3A%2F%2Fevil.example%2F%3Fx", "%2F%2Fevil.example", "settings%3D1"):
        assert opened(cookie=f"auditlane_view={forged}").headers["location"] == "/"

    # A page without a view, an image, and too long a view are not remembered.
    for path, headers in (
        ("/", {}),
        ("/?lang=de", {}),
        (shared, {"sec_fetch_dest": "image"}),
        (f"/?query={'x' * 2_001}", {}),
    ):
        plain = served.request(path, **HTML, **headers)
        assert plain.status == 401
        assert "set-cookie" not in plain.headers
        assert "You will then see" not in plain.data.decode()
