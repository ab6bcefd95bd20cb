"""Tests decisions about dead letters in the console: which of them are selected, what is recorded, and who may act."""

from __future__ import annotations

import builtins
from collections import Counter
from typing import Any

import pytest
from serving import Served

from auditlane.access.audit import AuditRecord, RequestAuditor
from auditlane.access.permissions import Permission
from auditlane.contract.dead_letter import Identity, Letter, Place, Resolution, State
from auditlane.contract.reject_codes import RejectCode
from auditlane.operations.dlq.index import Index, Selection
from auditlane.operations.dlq.topic import Progress
from auditlane.runtime.errors import InvalidInput, MissingExtra
from auditlane.server.admin import letter_desk
from auditlane.server.admin.letter_desk import Handled, chosen, page_of
from auditlane.server.pages.console import dead_letters
from auditlane.server.pages.i18n import catalogues

TOPIC_ID = "d5a8a3b8-6f3c-4a6b-9f0e-3c7c9c5f1a2b"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def letter(offset: int, tenant: str | None = "acme", code: str = "FIELD_RULE") -> Letter:
    identity = Identity(TOPIC_ID, 0, offset)
    return Letter(identity, Place(0, offset), "audit.events", tenant, code, "a reason", 1, 1_000 + offset, 2_000)


def index_of(*letters: Letter, resolved: tuple[int, ...] = ()) -> Index:
    index = Index()
    index.add(letters)
    index.add(Resolution(Identity(TOPIC_ID, 0, offset), State.replayed, "", 3_000) for offset in resolved)
    return index


def names(*offsets: int) -> Selection:
    return Selection(names=tuple(f"{TOPIC_ID}:0:{offset}" for offset in offsets))


class Sink:
    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def record(self, record: AuditRecord) -> None:
        self.records.append(record)


def test_a_letter_that_was_handled_before_is_not_chosen_again() -> None:
    index = index_of(letter(1), letter(2), letter(3), resolved=(2,))
    handled, letters = chosen(index, names(1, 2))
    assert [one.place.offset for one in letters] == [1]
    assert [one.place.offset for one in handled.before] == [2]
    assert (handled.chosen, handled.left) == (1, 0)


def test_a_filter_chooses_open_letters_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter_desk, "MOST", 2)
    index = index_of(*(letter(offset) for offset in range(5)), letter(9, "globex"), resolved=(0,))
    handled, letters = chosen(index, Selection(tenants=("acme",)))
    assert [one.place.offset for one in letters] == [1, 2]
    assert (handled.left, handled.before) == (2, [])


def test_pages_are_counted_from_one_and_end_at_the_last() -> None:
    index = index_of(*(letter(offset) for offset in range(120)))
    first, second, beyond = (page_of(index, Progress(120, 120), Selection(), page) for page in (1, 2, 99))
    assert (first.pages, first.total, len(first.letters)) == (3, 120, 50)
    assert first.letters[0].place.offset == 119  # most recently received first
    assert [second.page, beyond.page, len(beyond.letters)] == [2, 3, 20]
    assert not {one.identity for one in first.letters} & {one.identity for one in second.letters}


@pytest.mark.parametrize("tenants", [{"acme": 2, None: 1}, {}])
def test_every_action_is_recorded_by_tenant(tenants: dict[str | None, int]) -> None:
    sink = Sink()
    auditor = RequestAuditor(sink)
    auditor.actor_id = "olga"
    handled = Handled(chosen=3, tenants=Counter(tenants), complete=True)
    dead_letters.record_replay(auditor, "audit.dead-letters", handled)
    dead_letters.record_closing(auditor, "audit.dead-letters", "test data", handled)
    found = [(one.action, one.tenant, one.outcome, one.metadata["rows"]) for one in sink.records]
    if tenants:
        assert found == [
            ("events.replayed", "acme", "success", "2"),
            ("events.replayed", None, "success", "1"),
            ("dead_letters.closed", "acme", "success", "2"),
            ("dead_letters.closed", None, "success", "1"),
        ]
    else:  # nothing was sent
        assert found == [("events.replayed", None, "failure", "0"), ("dead_letters.closed", None, "failure", "0")]
    assert {one.actor_id for one in sink.records} == {"olga"}
    assert sink.records[-1].metadata["reason"] == "test data"


def test_an_interrupted_action_is_recorded_as_a_failure_with_what_was_done() -> None:
    sink = Sink()
    handled = Handled(chosen=3, tenants=Counter({"acme": 2}), complete=False)
    dead_letters.record_replay(RequestAuditor(sink), "audit.dead-letters", handled)
    assert [(one.outcome, one.metadata["rows"]) for one in sink.records] == [("failure", "2")]


def test_every_code_has_a_fix_in_both_languages() -> None:
    assert set(dead_letters.FIXES) == {code.value for code in RejectCode}
    for fix in dead_letters.FIXES.values():
        assert catalogues()["de"].gettext(fix) != fix


def test_filters_and_identities_are_checked() -> None:
    assert dead_letters.selection_of("", "") == Selection()
    assert dead_letters.selection_of("TOO_LARGE", "acme").codes == ("TOO_LARGE",)
    with pytest.raises(InvalidInput, match="code"):
        dead_letters.selection_of("<x>", "")
    for text in ("", "x", "x:1", "x:1:", "x:a:b", ":1:2", "x:1:2:3", "x" * 300 + ":1:2"):
        with pytest.raises(InvalidInput):
            dead_letters._identity(text)
    assert dead_letters._identity(f"{TOPIC_ID}:3:7") == f"{TOPIC_ID}:3:7"


def test_without_the_packages_that_validate_the_console_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_numpy(name: str, *rest: Any) -> Any:
        if name == "auditlane.operations.dlq":
            raise ModuleNotFoundError("No module named 'numpy'", name="numpy")
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_numpy)
    with pytest.raises(MissingExtra, match=r"numpy.*auditlane\[worker\]"):
        letter_desk.handling()


def test_only_an_operator_may_open_replay_or_close(tmp_path: Any) -> None:
    """A reader with a token or a session cannot, and an operator whose request comes from another site cannot
    either.
    """
    with Served(tmp_path) as served:
        reader = served.viewer_token("acme", Permission.read)
        session = served.session("acme", Permission.read).partition("=")[2]
        admin = served.client_token("admin")
        for path in (
            "/console/dead-letters",
            "/console/dead-letters/letter?id=x:0:0",
            "/console/tenants",
            "/console/keys",
        ):
            for token in (reader, admin, ""):
                assert served.request(path, token).status == 401
            assert served.request(path, cookie=f"auditlane_console={session}").status == 401
        for path in ("/console/dead-letters/replay", "/console/dead-letters/close"):
            for headers in (
                {"authorization": f"Bearer {reader}"},
                {"authorization": f"Bearer {admin}"},
                {"cookie": f"auditlane_viewer={session}"},
                {"cookie": f"auditlane_console={session}"},
                {},
            ):
                assert post(served, path, "id=x:0:0&reason=x", **headers) == 401
            answer = served.request("/v1/admin/console-links", admin, method="POST", body={"user": "ops"}).json()
            opened = served.request(answer["link"].removeprefix(served.url), method="POST")
            cookie = opened.headers["set-cookie"].partition(";")[0]
            for site in ("cross-site", "same-site", "none"):
                assert post(served, path, "id=x:0:0&reason=x", cookie=cookie, site=site) == 403
            assert post(served, path, "reason=x", cookie=cookie) == 400  # nothing is selected
            assert post(served, path, "id=<x>&reason=x", cookie=cookie) == 400
            # No brokers are configured: a request that gets this far is permitted.
            assert post(served, path, "id=x:0:0&reason=x", cookie=cookie) == 503
        assert post(served, "/console/dead-letters/close", "id=x:0:0&reason=%20", cookie=cookie) == 400


def post(served: Served, path: str, form: str, *, site: str = "same-origin", **headers: str) -> int:
    sent = FORM | {"sec-fetch-site": site} | headers
    return served._pool.request("POST", f"{served.url}{path}", body=form, headers=sent, redirect=False).status
