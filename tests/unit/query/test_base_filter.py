"""Tests that base filters are validated when a token is created, and are part of every statement that is run for their
scope.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from querying import mac

from auditlane.access.permissions import Permission
from auditlane.access.scope import BaseFilter, Principal, TenantScope
from auditlane.query import sql
from auditlane.query.base_filter import MAX_BYTES, base_filter, filter_of, marked, unmarked
from auditlane.query.clickhouse.statements import Parameters
from auditlane.query.cursor import Cursors
from auditlane.query.export.jobs.record import JobRecord
from auditlane.query.export.jobs.storage import is_visible
from auditlane.query.filters import Filter
from auditlane.query.language.tree import text_of
from auditlane.query.live.resume_token import ResumeTokens, StreamPosition
from auditlane.query.sort import NEWEST, Position
from auditlane.runtime.errors import InvalidCursor, InvalidFilter

DOCUMENT: BaseFilter = (("resource", "document"), ("resource_id", "doc-7"))


def scope_of(pairs: BaseFilter = DOCUMENT) -> TenantScope:
    return TenantScope.authorized_before("acme", "jane", Permission.read, base_filter=pairs)


def test_a_valid_filter_becomes_pairs():
    given = {"resource": "document", "resource_id": ["doc-7", "doc-8"], "query": "-action:login*"}
    pairs = base_filter(given)
    assert pairs == (
        ("resource", "document"), ("resource_id", "doc-7"), ("resource_id", "doc-8"), ("query", "-action:login*")
    )  # fmt: skip
    found = filter_of(pairs)
    assert found.equals == {"resource": ("document",), "resource_id": ("doc-7", "doc-8")}
    assert found.query is not None
    assert text_of(found.query) == r"-action:login*"
    assert found.include_access


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "filter"),
        ({"resource_id": ""}, "filter.resource_id"),
        ({"resource_id": "  "}, "filter.resource_id"),
        ({"resource_id": []}, "filter.resource_id"),
        ({"resource_id": ["doc-7", ""]}, "filter.resource_id"),
        ({"query": " "}, "filter.query"),
        ({"q": ""}, "filter.q"),
        ({"include_access": "true"}, "filter.include_access"),
        ({"tenant": "other"}, "filter.tenant"),
        ({"base_filter:resource_id": "doc-8"}, "filter.base_filter:resource_id"),
        ({"cursor": "x"}, "filter.cursor"),
        ({"outcome": "maybe"}, "filter.outcome"),
        ({"from": "yesterday"}, "filter.from"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "filter.from"),
        ({"query": "actoor:jane"}, "filter.query"),
        ({"query": "invoice:7"}, "filter.query"),  # a custom field must be written as fields.invoice
        ({"query": ["a", "b"]}, "filter.query"),
        ({"resource_id": ["x" * 100] * 20}, "filter"),
        ({"resource_id": "\u00e9" * (MAX_BYTES // 6)}, "filter"),
        ({"q": ["x"] * 101}, "filter"),
    ],
)
def test_an_invalid_filter_names_the_field_and_the_fix(given, field):
    with pytest.raises(InvalidFilter) as error:
        base_filter(given)
    assert error.value.field == field
    assert error.value.fix


def test_a_mistake_in_a_query_has_its_column():
    with pytest.raises(InvalidFilter) as error:
        base_filter({"query": "resource:document actoor:jane"})
    assert (error.value.column, error.value.reason) == (19, "unknown_field")


def test_every_condition_of_the_request_is_added_to_the_base_filter():
    parameters = Parameters("audit")
    whole = sql.where(Parameters("audit"), scope_of(()), Filter(equals={"resource_id": ("doc-8",)}))
    limited = sql.where(parameters, scope_of(), Filter(equals={"resource_id": ("doc-8",)}))
    assert len(limited) == len(whole) + 2
    assert [value for value in parameters.values.values() if isinstance(value, list)] == [
        ["acme"], ["document"], ["doc-7"], ["doc-8"]
    ]  # fmt: skip


def test_one_event_is_limited_too():
    statement = sql.compile_one("audit", scope_of(), "01890a5d-ac96-774b-bcce-b302099a8057", limit=1)
    assert ["doc-7"] in statement.parameters.values()


def test_a_stored_filter_that_is_no_longer_valid_fails_closed():
    with pytest.raises(InvalidFilter):
        sql.where(Parameters("audit"), scope_of((("withdrawn", "x"),)), Filter())


def test_cursors_and_resume_tokens_belong_to_the_base_filter():
    scopes = [scope_of(()), scope_of(), scope_of((("resource_id", "doc-8"),))]
    cursors, tokens = Cursors(mac), ResumeTokens(mac)
    position = Position(1, "01890a5d-ac96-774b-bcce-b302099a8057", "00" * 16)
    for signer in scopes:
        cursor = cursors.sign(signer, Filter(), position, NEWEST)
        token = tokens.seal(signer, Filter(), StreamPosition(1, {}))
        for reader in scopes:
            if reader is signer:
                assert cursors.read(reader, Filter(), cursor) == position
                assert tokens.open(reader, Filter(), token) == StreamPosition(1, {})
            else:
                with pytest.raises(InvalidCursor):
                    cursors.read(reader, Filter(), cursor)
                with pytest.raises(InvalidCursor):
                    tokens.open(reader, Filter(), token)


def test_a_principal_passes_its_filter_on():
    later = datetime.now(UTC) + timedelta(hours=1)
    jane = Principal("viewer", "jane", "", "acme", frozenset({Permission.read}), later, base_filter=DOCUMENT)
    assert jane.scope(Permission.read, None).base_filter == DOCUMENT
    with pytest.raises(AttributeError):
        jane.scope(Permission.read, None).base_filter = ()


def test_a_link_or_job_carries_its_filter_and_an_earlier_release_refuses_it():
    pairs = [("format", "csv"), ("action", "login")]
    sent = marked(scope_of(), pairs)
    assert unmarked(sent) == (DOCUMENT, tuple(pairs))
    with pytest.raises(InvalidFilter):
        filter_of(tuple(sent[:1]))


def test_jobs_are_visible_to_the_whole_log_and_to_their_own_filter(jobs_record: JobRecord):
    whole, mine, other = jobs_record, scope_of(), scope_of((("resource_id", "doc-8"),))
    limited = whole.model_copy(update={"pairs": tuple(marked(mine, whole.pairs))})
    assert limited.scope.base_filter == DOCUMENT
    assert [is_visible(scope, limited) for scope in (scope_of(()), mine, other)] == [True, True, False]
    assert [is_visible(scope, whole) for scope in (scope_of(()), mine, other)] == [True, False, False]


@pytest.fixture
def jobs_record() -> JobRecord:
    return JobRecord.model_construct(tenant="acme", actor="jane", client_id="", pairs=(("format", "csv"),))
