"""Tests reading as Frontegg's clients do, from the real store: unchanged rows, filters, sorting, pages and numbers."""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from querying import event, store
from serving import Served

from auditlane.contract.event import parse_ip
from auditlane.contract.frontegg import MARK
from auditlane.gateway.frontegg.audit import event_of

V2_EXPORT = "/audits/resources/audits/v2/export/csv"
NOW = datetime.now(UTC).replace(microsecond=123_456)
# number, age in hours, the audit as sent
SENT = [
    (
        1,
        0,
        {
            "user": "ann@x.io",
            "action": "Login",
            "severity": "High",
            "ip": "10.0.0.1",
            "resource": "Portal",
            "tags": [9],
        },
    ),
    (
        2,
        1,
        {"user": "bob@x.io", "action": "Logout", "severity": "Info", "ip": "2001:db8::1", "size": 9, "note": '["a"] '},
    ),
    (3, 2, {"email": "cy@x.io", "action": "Login", "severity": "Attention", "ip": "", "size": 10, "tags": ["a", "b"]}),
    (4, 24 * 3, {"user": "ann@x.io", "action": "Deleted user", "severity": "Critical", "json": {"k": [1]}}),
    (5, 24 * 9, {"user": {"name": "dee"}, "email": "dee@x.io", "severity": "Error", "ip": "nowhere", "team": "blue"}),
]


def stored(number: int, hours: float, sent: dict, tenant: str = "acme"):
    """Return the row that a worker would store for an audit."""
    made = event_of(sent, tenant, now=NOW - timedelta(hours=hours))
    address = parse_ip(made.ip) if made.ip else None
    values = made.model_dump(exclude={"event_id"}) | {
        "severity": made.severity.value,
        "outcome": made.outcome.value,
        "ip": str(address) if address else None,
    }
    return event(number, **values, ingested_at=NOW - timedelta(hours=hours))


@pytest.fixture(scope="module")
def served(clickhouse, tmp_path_factory):
    with store(clickhouse) as made:
        made.add([stored(*one) for one in SENT])
        made.add([stored(9, 0, {"user": "eve@x.io", "action": "Login"}, tenant="other")])
        older = {"k": r'"v\ud800"', "n": "Infinity", MARK: '["k", "n"]'}  # stored by an older release
        made.add([event(10, tenant="older", metadata=older, actor_name="v\ufffd")])
        with Served(
            tmp_path_factory.mktemp("served"), clickhouse_url=clickhouse, clickhouse_database=made.database
        ) as served:
            yield served


@pytest.fixture(scope="module")
def token(served):
    return served.client_token("vendor")


@pytest.fixture
def ask(served, token):
    def ask(query: str = "", *, path: str = "/audits/", tenant: str = "acme", status: int = 200, **headers):
        sent = {"x_access_token": token, "frontegg_tenant_id": tenant} | headers
        response = served.request(f"{path}?{query}", **sent)
        assert response.status == status, response.data
        return response.json()

    return ask


def users(answer) -> list[str]:
    return [row["email"].split("@")[0] for row in answer["data"]]


def test_rows_equal_the_sent_audits_newest_first(ask):
    answer = ask()
    assert answer["total"] == 5
    for row, (_, hours, sent) in zip(answer["data"], SENT, strict=True):
        assert row | sent == row
        assert row["tenantId"] == "acme"
        assert datetime.fromisoformat(row["createdAt"]) == (NOW - timedelta(hours=hours)).replace(microsecond=123_000)
        assert uuid.UUID(row["frontegg_id"])
        assert row["vendorId"].startswith("al_")
        assert row["updatedAt"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("severity=High", "ann"),
        ("severity=high&action=Login", "ann"),
        ("severity[]=High&severity[]=Critical", "ann ann"),
        ("severity=Attention", "cy"),
        ('severity={"$gte":"High"}', "ann ann dee"),
        ("user=ann@x.io", "ann ann"),
        ("email=cy@x.io", "cy"),
        ("email=dee@x.io", "dee"),
        ("user[$ne]=ann@x.io", "bob cy dee"),
        ("action[$contains]=LOG", "ann bob cy"),
        ("ip=10.0.0.1", "ann"),
        ("ip=2001:DB8:0::1", "bob"),
        ("ip=nowhere", "dee"),
        ("ip=10.0.0.1&ip=nowhere", "ann dee"),
        ("size=9", "bob"),
        ('size={"$gt":9}', "cy"),
        ("size[$lte]=10", "bob cy"),
        ("team=blue", "dee"),
        ("team[$ne]=blue", "ann bob cy ann"),
        ("tags=a", "cy"),
        ("tags[]=b&tags[]=z", "cy"),
        ("tags=" + quote('["a","z"]'), "cy"),  # a list matches any of its values
        ("tags=z", ""),
        ("tags=" + quote("["), ""),
        ("tags[$ne]=a", "ann bob ann dee"),
        ("tags=9", "ann"),
        ("note=a", ""),  # text, although it looks like a list
        ("tags[$contains]=" + quote('"a"'), "cy"),
        ("resource=Portal", "ann"),
        ("filter=portal", "ann"),
        ("filter=LOGIN+x.io", "ann cy"),
        ("filter=blue", "dee"),
        ("tenantId=acme&vendorId=any&paginationMode=virtual&action=Logout", "bob"),
        ("nothing=x", ""),
        ("user=" + quote("' OR 1=1 --"), ""),
        ("outcome=unknown&action=Logout", "bob"),
    ],
)
def test_fronteggs_filters_find_the_events_that_match(ask, query, found):
    answer = ask(query)
    assert users(answer) == found.split()
    assert answer["total"] == len(found.split())


@pytest.mark.parametrize(
    ("query", "rows"), [("", 1), (r'user={"$eq":"v\ud800"}', 1), (r'user={"$eq":"\ud800"}', 0), ('n={"$gt":1e400}', 0)]
)
def test_text_and_numbers_that_no_response_can_contain(ask, query, rows):
    found = ask(quote(query, safe="="), tenant="older")["data"]
    assert [(row["k"], row["n"]) for row in found] == [("v\ufffd", "Infinity")] * rows


def test_time_ranges_in_every_encoding(ask):
    since, until = (NOW - timedelta(hours=25 * 3)).isoformat(), (NOW - timedelta(hours=1)).isoformat()
    expected = ["bob", "cy", "ann"]
    whole = quote(json.dumps({"$gt": since, "$lte": until}))
    assert users(ask(f"createdAt={whole}")) == expected
    assert users(ask(f"createdAt%5B$gt%5D={quote(since)}&createdAt%5B$lte%5D={quote(until)}")) == expected
    assert users(ask(f"0[createdAt][$gt]={quote(since)}&0[createdAt][$lte]={quote(until)}")) == expected
    shown = ask("count=1")["data"][0]["createdAt"]
    assert users(ask(f"createdAt={shown}")) == ["ann"]
    assert users(ask(f"createdAt[$lt]={shown}")) == ["bob", "cy", "ann", "dee"]
    assert users(ask(f"createdAt[$gte]={shown}")) == ["ann"]
    assert users(ask(f"createdAt[$gt]={shown}")) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sortBy=createdAt&sortDirection=asc", "dee ann cy bob ann"),
        ("sortBy=createdAt&sortDirection=DESC", "ann bob cy ann dee"),
        ("sortBy=email", "ann ann bob cy dee"),
        ("sortBy=severity&sortDirection=desc", "dee ann ann cy bob"),
        ("sortBy=action&sortDirection=asc", "ann ann cy bob dee"),
        ("sortBy=team&sortDirection=desc", "dee ann bob cy ann"),
        ("sortBy=frontegg_id&count=1&offset=5", ""),
        ("count=2&offset=1", "bob cy"),
        ("count=2&offset=4", "dee"),
        ("count=1000", "ann bob cy ann dee"),
        ("offset=100", ""),
    ],
)
def test_rows_are_sorted_and_paged(ask, query, found):
    answer = ask(query)
    assert users(answer) == found.split()
    assert answer["total"] == 5


@pytest.mark.parametrize("path", ["/audits//stats", "/audits/stats", "/audits/stats/"])
def test_the_statistics_above_the_table(served, token, path):
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    today = sum(NOW - timedelta(hours=hours) >= midnight for _, hours, _ in SENT)
    body = {"tenantId": "acme"}  # Python 1.x sends this with a GET
    response = served.request(path + "?tenantId=acme", body=body, x_access_token=token, frontegg_tenant_id="acme")
    assert response.status == 200, response.data
    assert response.json() == {"totalToday": today, "severeThisWeek": 2}


def test_the_metrics_of_a_tenant(ask):
    path = "/audits/resources/metrics/v1"
    whole = ask(path=path)
    assert whole["topResources"] == {"Portal": 1}
    assert whole["topTenants"] == {"acme": 5} == {"acme": sum(whole["auditsCounterByTime"].values())}
    assert all(day.endswith("T00:00:00.000Z") for day in whole["auditsCounterByTime"])
    since, until = quote((NOW - timedelta(hours=2.5)).isoformat()), quote((NOW - timedelta(hours=0.5)).isoformat())
    hours = ask(f"from={since}&to={until}&frequency=hourly&limit=5", path=path)
    assert list(hours["auditsCounterByTime"].values()) == [1, 1]
    assert hours["topResources"] == {}
    for frequency in ("weekly", "MONTH"):
        assert sum(ask(f"frequency={frequency}", path=path)["auditsCounterByTime"].values()) == 5
    assert ask(path=path, tenant="nobody") == {"topResources": {}, "topTenants": {}, "auditsCounterByTime": {}}
    assert ask("frequency=yearly", path=path, status=400)["field"] == "frequency"


def test_the_second_version_of_the_api(ask):
    path = "/audits/resources/audits/v2"
    assert users(ask("users=ann@x.io&users=bob@x.io&tenant_ids=acme&tenant_ids=other", path=path)) == [
        "ann",
        "bob",
        "ann",
    ]
    since = quote((NOW - timedelta(hours=2)).isoformat())
    assert users(ask(f"created_from={since}&email=cy@x.io", path=path)) == ["cy"]


def test_the_tenant_comes_from_the_header_or_credential_and_nothing_widens_it(served, ask):
    assert users(ask(tenant="other")) == ["eve"]
    assert ask(tenant="nobody") == {"data": [], "total": 0}
    for path in ("/audits", "/audits/stats", "/audits/resources/audits/v2"):
        assert ask("tenantId=other", path=path, status=400)["field"] == "tenantId"
        assert "header frontegg-tenant-id" in (problem := ask(path=path, tenant="", status=400))["fix"]
        assert problem["field"] == "frontegg-tenant-id"
        assert ask(path=path, status=400, auditlane_tenant="other")["field"] == "frontegg-tenant-id"
    bound = served.client_token("vendor", tenant="other")
    assert users(ask(tenant="", x_access_token=bound)) == ["eve"]
    problem = ask(tenant="acme", status=403, x_access_token=bound)
    assert (problem["code"], problem["field"]) == ("TENANT_FORBIDDEN", "frontegg-tenant-id")
    assert ask(status=403, x_access_token=served.client_token("writer"))["code"] == "FORBIDDEN"
    assert ask(status=401, x_access_token="nonsense")["code"] == "UNAUTHENTICATED"


def test_a_bearer_token_is_accepted_too(served, token):
    response = served.request("/audits", token, frontegg_tenant_id="acme")
    assert response.json()["total"] == 5


# Exports

PROPERTIES = [
    {"name": "createdAt", "displayName": "Time", "sortable": True},
    {"name": "email", "displayName": "User"},
    {"name": "severity"},
    {"name": "ip", "displayName": "=IP"},
    {"name": "team", "displayName": "Team"},
    {"name": "json", "displayName": "Json Data"},
]


def file_of(served, token, path, properties=PROPERTIES, status=200):
    body = None if properties is None else {"properties": properties}
    response = served.request(path, method="POST", body=body, x_access_token=token, frontegg_tenant_id="acme")
    assert response.status == status, response.data
    return response


@pytest.mark.parametrize("path", ["/audits//export/csv", "/audits/export/csv", "/audits/export/csv/v2", V2_EXPORT])
def test_a_csv_has_the_requested_columns(served, token, path):
    response = file_of(served, token, f"{path}?severity[]=High&severity[]=Error&sortBy=email&tenantId=acme")
    lines = list(csv.reader(io.StringIO(response.data.decode(), newline="")))
    assert response.headers["content-type"].startswith("text/csv")
    assert lines[0] == ["Time", "User", "severity", "'=IP", "Team", "Json Data"]
    assert [line[1:] for line in lines[1:]] == [
        ["ann@x.io", "High", "10.0.0.1", "", ""],
        ["dee@x.io", "Error", "nowhere", "blue", ""],
    ]


def test_a_csv_contains_every_match(served, token):
    response = file_of(served, token, "/audits/export/csv?offset=3&outputFileName=my%20log")
    assert response.headers["auditlane-rows"] == "5"
    assert response.headers["content-disposition"] == 'attachment; filename="my log.csv"'
    assert response.data.decode().count("\r\n") == 6
    assert '"{""k"": [1]}"' in response.data.decode()


def test_without_properties_a_file_has_the_tables_columns(served, token):
    for properties in (None, []):
        response = file_of(served, token, "/audits/export/csv", properties)
        assert response.data.decode().startswith('"Time","Actor","Action","Resource"')


def test_an_export_as_pdf_is_a_whole_document(served, token):
    response = file_of(served, token, "/audits/export/pdf?severity=High")
    assert response.headers["content-type"] == "application/pdf"
    assert response.data.startswith(b"%PDF-")
    assert response.data.rstrip().endswith(b"%%EOF")


def test_invalid_exports_are_refused(served, token):
    assert file_of(served, token, "/audits/export/csv", [{"displayName": "x"}], 400).json()["code"] == "INPUT_INVALID"
    assert file_of(served, token, "/audits/export/csv?tenantId=other", status=400).json()["field"] == "tenantId"
    writer = served.client_token("writer")
    assert file_of(served, writer, "/audits/export/csv", status=403).json()["code"] == "FORBIDDEN"


# Metadata


def test_the_metadata_before_anything_was_saved(ask):
    for path in ("/metadata/", "/metadata"):
        [row] = ask("entityName=audits", path=path, tenant="")["rows"]
        assert [one["name"] for one in row["properties"]][:3] == ["createdAt", "user", "action"]
        assert row["id"]
        assert row["vendorId"].startswith("al_")
    assert ask("entityName=other", path="/metadata", tenant="") == {"rows": []}


def test_who_may_see_and_save_the_metadata(served):
    bound, reader = served.client_token("vendor", tenant="acme"), served.client_token("auditor")

    def ask(token, method="POST", body=None, **headers):
        return served.request("/metadata", method=method, body=body, x_access_token=token, **headers)

    assert ask(bound, "GET").status == 200
    assert ask(reader, "GET", frontegg_tenant_id="acme").status == 200
    assert ask(bound, "GET", frontegg_tenant_id="other").status == 403
    assert ask(served.client_token("writer"), "GET").status == 403
    assert ask(bound, body={"properties": []}).json()["code"] == "TENANT_FORBIDDEN"
    assert ask(reader, body={"properties": []}).json()["code"] == "FORBIDDEN"
    vendor = served.client_token("vendor")
    assert ask(vendor, body={"properties": "x"}).json()["field"] == "properties"
    assert ask(vendor, body={"entityName": "users"}).json()["field"] == "entityName"
    assert ask(vendor, body=[1]).status == 400


def test_a_theme_alone_keeps_every_column(served):
    vendor = served.client_token("vendor")

    def fields():
        return served.request("/v1/structure", vendor).json()["fields"]

    before = fields()
    for body in ({}, {"theme": {"palette": {"primary": "#123456"}}}):
        answer = served.request("/metadata", method="POST", body=body, x_access_token=vendor)
        assert answer.status == 200, answer.data
        assert any(one["showInTable"] for one in answer.json()["properties"])
    assert answer.json()["theme"] == {"palette": {"primary": "#123456"}}
    assert fields() == before
