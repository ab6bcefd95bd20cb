"""An example of each response, by schema name or media type. A test validates the examples against the schemas."""

from __future__ import annotations

from typing import Any, Final

_ID: Final = "019391a4-7f3c-7cc2-9d2e-0242ac120002"
_JOB: Final = "01a20a64-55d1-7c0b-8a7e-3f1d2b9c4e10"
_FAILED_SIGN_IN: Final = {"en": "{actor} failed to sign in", "de": "{actor} konnte sich nicht anmelden"}
_AT: Final = "2026-01-31T13:45:00.123456Z"
_LATER: Final = "2026-01-31T14:45:00Z"
_EVENT: Final[dict[str, Any]] = {
    "event_id": _ID,
    "tenant_id": "acme",
    "occurred_at": _AT,
    "action": "document.deleted",
    "actor_id": "user-17",
    "actor_type": "user",
    "actor_name": "Jane",
    "on_behalf_of": None,
    "resource": "document",
    "resource_id": "d-98765",
    "outcome": "success",
    "severity": "Info",
    "description": None,
    "ip": "192.0.2.17",
    "ip_country": "NO",
    "user_agent": None,
    "request_id": "6a1f3c2e",
    "before": '{"title":"Draft"}',
    "after": None,
    "source": "billing",
    "metadata": {"region": "eu-1"},
    "fields": {"invoice_total": "99.5"},
    "ingested_at": "2026-01-31T13:45:01.042000Z",
    "provenance": "gateway",
    "provenance_id": "al_7Qm2x",
    "content_hash": "5f2b8c0d9e7a41c6b3d8f01e6a94c27b",
    "conflict": False,
}
_EXPORT: Final[dict[str, Any]] = {
    "id": _JOB,
    "state": "done",
    "format": "csv",
    "columns": ["occurred_at", "action"],
    "include_access": False,
    "rows": 1_204,
    "total": 1_204,
    "bytes": 48_160,
    "created_at": "2026-01-31T13:45:00Z",
    "created_by": "user-17",
    "ended_at": "2026-01-31T13:45:02Z",
    "expires_at": "2026-02-01T13:45:02Z",
    "error": None,
    "url": "https://audit.example.com/v1/download?code=eyJhbGciOi…",
}
_VIEW: Final[dict[str, Any]] = {
    "displayName": "Order",
    "displayType": "Number",
    "sortable": True,
    "filterable": True,
    "showInTable": True,
    "showInMoreInfo": True,
    "downloadable": True,
    "order": 20,
}
_SAVED_VIEW: Final[dict[str, Any]] = {
    "name": "Denied deletions",
    "query": "action:document.deleted outcome:denied",
    "range": "30d",
    "from": None,
    "to": None,
    "sort": "-occurred_at",
    "columns": ["occurred_at", "actor_name", "resource"],
    "group": "actor",
    "compare": False,
    "tz": None,
    "id": "01a20a64-9c3e-7d11-b3a0-5e6f7a8b9c0d",
    "revision": 2,
    "created_by": "user-17",
    "created_at": _AT,
    "changed_by": "user-4",
    "changed_at": _LATER,
    "shared": True,
}
_TOKEN: Final = {"access_token": "eyJhbGciOi…", "token_type": "Bearer"}
_PARTITION: Final = {"topic": "audit.events", "partition": 3, "committed": 1_204, "end": 1_207, "lag": 3, "lost": 0}
_READY: Final = {"ready": True, "parts": [{"name": "clickhouse", "state": "up", "problem": None}]}
_COUNTS: Final = [{"value": "login", "events": 812}, {"value": None, "events": 3}]

OF_SCHEMA: Final[dict[str, Any]] = {
    "TokenAnswer": _TOKEN | {"expires_in": 86_400},
    "ViewerTokenAnswer": _TOKEN
    | {
        "expires_in": 900,
        "tenant": "acme",
        "permissions": ["audits:read"],
        "link": "https://audit.example.com/enter?code=eyJhbGciOi…",
    },
    "Event": _EVENT,
    "SingleEvent": _EVENT | {"others": []},
    "EventPage": {"data": [_EVENT], "next": "AQAABk…", "prev": None},
    "FilterCheck": {
        "error": {
            "detail": "query, column 1: there is no field 'actr'.",
            "fix": "Did you mean actor? Known fields: action, actor, actor_id, outcome.",
            "field": "query",
            "column": 1,
        }
    },
    "TestEvent": {"event_id": _ID, "tenant_id": "acme"},
    "Session": {
        "scope": "tenant",
        "tenant": "acme",
        "user": "user-17",
        "permissions": ["audits:export", "audits:read"],
        "expires_at": _LATER,
        "filter": None,
        "from_console": False,
        "audit_logs_enabled": True,
    },
    "Facet": {"field": "action", "data": _COUNTS},
    "Histogram": {
        "interval": "PT1H",
        "tz": "UTC",
        "events": 815,
        "data": [{"start": "2026-01-31T13:00:00Z", "end": "2026-01-31T14:00:00Z", "events": 815}],
    },
    "Stats": {
        "tz": "Europe/Berlin",
        "today": 812,
        "events": 5_204,
        "severe": 3,
        "before": {"start": "2026-01-17T13:45:00Z", "end": "2026-01-24T13:45:00Z", "events": 4_890, "severe": 5},
        "actions": _COUNTS,
        "actors": [{"value": "user-17", "events": 204}],
    },
    "EventGroups": {
        "field": "outcome",
        "tz": "UTC",
        "interval": "P1D",
        "events": 815,
        "before": {"start": "2026-01-28T00:00:00Z", "end": "2026-01-30T00:00:00Z", "events": 790},
        "values": 3,
        "new": 1,
        "vanished": 0,
        "buckets": [
            {"start": "2026-01-30T00:00:00Z", "end": "2026-01-31T00:00:00Z"},
            {"start": "2026-01-31T00:00:00Z", "end": "2026-02-01T00:00:00Z"},
        ],
        "data": [
            {"value": "success", "events": 803, "before": 788, "counts": [401, 402], "query": "outcome:success"},
            {"value": "denied", "events": 9, "before": 0, "counts": [0, 9], "query": "outcome:denied"},
        ],
        "others": {
            "events": 3,
            "before": 2,
            "counts": [1, 2],
            "query": "outcome:* -(outcome:success OR outcome:denied)",
        },
        "none": {"events": 0, "before": 0, "counts": [0, 0], "query": "-outcome:*"},
    },
    "LastDownload": {"at": "2026-01-31T13:45:00Z", "events": 204},
    "LinkAnswer": {"url": _EXPORT["url"], "expires_in": 60},
    "Job": _EXPORT,
    "JobList": {"data": [_EXPORT]},
    "SavedView": _SAVED_VIEW,
    "SavedViewList": {"data": [_SAVED_VIEW]},
    "DataStructure": {
        "tenant": "acme",
        "revision": 4,
        "enabled": None,
        "effectiveEnabled": True,
        "inheritedEnabled": True,
        "fields": [
            _VIEW
            | {
                "name": "order_number",
                "custom": True,
                "parameter": "fields.order_number",
                "origin": "tenant",
                "inherited": None,
            }
        ],
        "removed": [],
        "changedBy": "user-17",
        "changedAt": _AT,
    },
    "Contract": {
        "subject": "audit.events.acme-value",
        "version": 2,
        "schemaId": 7,
        "exclusive": False,
        "fields": [
            {
                "name": "order_number",
                "type": "Integer",
                "default": None,
                "rules": {"minimum": 1},
                "shown": True,
                "displayName": "Order",
            }
        ],
    },
    "Catalogue": {
        "actions": [
            {
                "name": "document.deleted",
                "label": {"en": "Document deleted", "de": "Dokument gelöscht"},
                "own": True,
                "builtIn": False,
                "sentence": {
                    "en": "{actor} deleted document {resource_id}",
                    "de": "{actor} hat Dokument {resource_id} gelöscht",
                },
                "attempted": None,
            },
            {
                "name": "user.login_failed",
                "label": {"en": "Sign-in failed", "de": "Anmeldung fehlgeschlagen"},
                "own": False,
                "builtIn": True,
                "sentence": _FAILED_SIGN_IN,
                "attempted": _FAILED_SIGN_IN,
            },
        ],
        "grammar": {
            "en": {
                "neutral": ["{actor} triggered “{action}” for {object}", "{actor} attempted “{action}” for {object}"],
                "verbs": {"deleted": ["{actor} deleted {object}", "{actor} attempted to delete {object}"]},
                "nouns": {"document": ["document", "a document"]},
                "articles": [["^[aeio]", "an {noun}"], ["", "a {noun}"]],
                "actors": {"system": "System"},
                "nobody": "Someone",
                "nothing": "something",
            }
        },
    },
    "History": {
        "data": [
            {
                "revision": 4,
                "changedBy": "user-17",
                "changedAt": _AT,
                "changes": [{"kind": "changed", "field": "order_number", "values": {"downloadable": [True, False]}}],
                "sequence": None,
                "labels": {"order_number": "Order"},
            }
        ],
        "next": None,
    },
    "Tenants": {
        "data": [{"tenant": "acme", "events": 5_204, "last_event": _AT, "last_stored": _AT, "enabled": True}],
        "next": None,
    },
    "Lag": {
        "group": "auditlane",
        "lag": 3,
        "age_s": 0.4,
        "abandoned": 0,
        "lost": 0,
        "partitions": [_PARTITION | {"age_s": 0.4, "member": "worker-1", "abandoned": False}],
    },
    "OperationsHistory": {
        "step_s": 60,
        "at": ["2026-01-31T13:45:00Z"],
        "received_per_second": [200.0],
        "stored_per_second": [200.0],
        "lag_seconds": [0.4],
        "lag_events": [3],
        "freshness_p50_s": [0.8],
        "freshness_p99_s": [1.6],
        "dead_letters": [0],
        "query_p99_s": [0.1],
        "ingest_p99_s": [0.025],
        "disk_used_ratio": [0.4],
    },
    "Timeline": {
        "data": [
            {
                "at": _AT,
                "action": "lag.detected",
                "outcome": "failure",
                "severity": "Medium",
                "resource": "partition",
                "resource_id": "audit.events",
                "description": None,
                "metadata": {"seconds": "75", "events": "15000", "since": "2026-01-31T13:44:30Z"},
                "event_id": _ID,
                "tenant": None,
            }
        ]
    },
    "Rate": {"seconds": 60.0, "events": 12_000, "events_per_second": 200.0},
    "DeadLetters": {
        "complete": True,
        "read": 12,
        "records": 12,
        "count": 1,
        "unrecognized_records": 0,
        "counts": [
            {
                "code": "FIELD_RULE",
                "tenant": "acme",
                "state": "open",
                "count": 1,
                "first_received_at": _AT,
                "last_received_at": _AT,
            }
        ],
        "newest": [],
    },
    "Health": {"healthy": True, "parts": [{"name": "kafka", "state": "up", "detail": "3 brokers", "problem": None}]},
    "ConsoleLink": {"link": "https://audit.example.com/enter?code=eyJhbGciOi…"},
    "Live": {"live": True},
    "Ready": _READY,
}
OF_MEDIA: Final[dict[str, str]] = {
    "text/html": '<!doctype html>\n<form method="post" action="/enter">…</form>\n',
    "text/csv": '"Time","Action"\r\n"2026-01-31T13:45:00.123456Z","document.deleted"\r\n',
    "application/jsonl": '{"occurred_at":"2026-01-31T13:45:00.123456Z","action":"document.deleted"}\n',
    "text/event-stream": f'id: rNq5ZQUMKV8C…\nevent: event\ndata: {{"event_id": "{_ID}", "…": "as in the list"}}\n\n',
}
