"""Defines all settings. Each is read from `AUDITLANE_<NAME>`. The docs' table is generated from these fields.

The groups below only order the table. An empty setting selects the embedded service, or the default named in its
description. A secret may come from a file instead: `AUDITLANE_<NAME>_FILE`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from auditlane.runtime import secret_files, validators
from auditlane.runtime.errors import ConfigError

PREFIX = "AUDITLANE_"


def _unless_empty(check: Callable[[str], str]) -> Callable[[str], str]:
    """Return a validator that applies `check`, except to an empty value, which selects the embedded service."""
    return lambda value: value and check(value)


def _outside_the_workers_topics(value: str, info: ValidationInfo) -> str:
    shared = info.data.get("topic")  # absent if that setting is itself invalid
    return validators.dead_letter_topic(value, shared) if shared else value


def _json_object(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"must be a JSON object: {error}") from error


def _not_a_service_link(value: object) -> object:
    """Reject a URL as a port, and explain its origin: Kubernetes sets `<SERVICE>_PORT=tcp://…` for every Service."""
    if isinstance(value, str) and "://" in value:
        raise ValueError(
            f"is {value!r}, which Kubernetes sets for a Service with this name; "
            "set enableServiceLinks: false in the pod, or rename the Service"
        )
    return value


def _with_an_issuer(value: str, info: ValidationInfo) -> str:
    """Require an audience if there is an issuer. Without it, tokens that the issuer created for other services would be
    accepted.
    """
    if info.data.get("oidc_issuer") and not value.strip(" ,"):
        raise ValueError("must name the audience that tokens of AUDITLANE_OIDC_ISSUER have for this service")
    return value


def _with_an_access_key(value: SecretStr, info: ValidationInfo) -> SecretStr:
    if bool(value.get_secret_value()) is not bool(info.data.get("export_s3_access_key")):
        raise ValueError("must be set together with AUDITLANE_EXPORT_S3_ACCESS_KEY")
    return value


def _none_or_a_mebibyte(value: int) -> int:
    if 0 < value < 1 << 20:
        raise ValueError("must be 0 or at least 1048576")
    return value


JsonObject = Annotated[dict[str, Any], NoDecode, BeforeValidator(_json_object)]
HttpUrl = Annotated[str, AfterValidator(_unless_empty(validators.http_url))]
RegistryUrl = Annotated[str, AfterValidator(_unless_empty(validators.registry_url))]
ClickHouseUrl = Annotated[str, AfterValidator(_unless_empty(validators.clickhouse_url))]
Bootstrap = Annotated[str, AfterValidator(_unless_empty(validators.bootstrap))]
Topic = Annotated[str, AfterValidator(validators.topic)]
DeadLetterTopic = Annotated[Topic, AfterValidator(_outside_the_workers_topics)]
File = Annotated[Path, AfterValidator(validators.file)]
SignInUrl = Annotated[str, AfterValidator(_unless_empty(validators.sign_in_url))]
Port = Annotated[int, BeforeValidator(_not_a_service_link), Field(ge=0, le=65_535)]


def reached(consequence: str) -> Any:
    """Mark a setting as a budget that keeps one tenant or client from exhausting a shared resource.

    `consequence` states what happens when the budget is reached, for the table in docs/operate/serve.md. Pass the
    result as `json_schema_extra`. A budget's default is never 0 or unlimited.
    """
    return {"budget": consequence}


def budget_of(field: FieldInfo) -> str:
    """Return what happens when this budget is reached, or "" if the setting is not a budget."""
    extra = field.json_schema_extra
    return str(extra.get("budget", "")) if isinstance(extra, dict) else ""


CONTAINS_SECRET: Any = {"secret": True}  # `json_schema_extra` for a setting that is not itself a SecretStr


def is_secret(field: FieldInfo) -> bool:
    """Return whether the setting is or contains a secret. Such a setting may also be read from a file."""
    return field.annotation is SecretStr or field.json_schema_extra == CONTAINS_SECRET


class KafkaSettings(BaseModel):
    kafka_bootstrap: Bootstrap = Field(
        "", description="Kafka brokers as `host:port,host:port`. Empty: the embedded broker."
    )
    kafka_extra: JsonObject = Field(
        default_factory=dict,
        description='librdkafka options as JSON, for SASL and TLS: `{"security.protocol": "SASL_SSL", …}`. '
        "Options that a guarantee depends on are rejected.",
        json_schema_extra=CONTAINS_SECRET,  # sasl.password
    )
    kafka_rack: str = Field(
        "",
        description="Rack or zone of this process, librdkafka's `client.rack`: brokers with a rack-aware "
        "`replica.selector.class` let it fetch from a replica in the same zone.",
    )
    kafka_home: Path | None = Field(
        None, description="Folder of an unpacked Kafka to run instead of the downloaded one."
    )
    topic: Topic = Field(
        "audit.events", description="Shared topic. Topics named `<topic>.<tenant>` are dedicated topics."
    )
    dead_letter_topic: DeadLetterTopic = Field(
        "audit.dead-letters",
        validate_default=True,  # with the topic `audit`, the default would be one of its dedicated topics
        description="Dead-letter topic, for rejected messages. Must not be `AUDITLANE_TOPIC` or start with `<topic>.`.",
    )
    topic_partitions: int = Field(6, ge=1, description="Number of partitions of each topic that `init` creates.")
    topic_replication_factor: int = Field(1, ge=1, description="Replication factor of each topic that `init` creates.")
    topic_retention_hours: int = Field(
        24 * 7, ge=24 * 7, description="Retention of topics in Kafka, in hours; at least a week."
    )
    max_event_bytes: int = Field(524_288, ge=1_024, description="Maximum size of an encoded event, in bytes.")


class RegistrySettings(BaseModel):
    registry_url: RegistryUrl = Field(
        "", description="URL of the schema registry, with an optional path prefix. Empty: the embedded registry."
    )
    registry_user: str = Field("", description="User name for basic authentication with the registry.")
    registry_password: SecretStr = Field(
        SecretStr(""), description="Password for basic authentication with the registry."
    )
    registry_token: SecretStr = Field(
        SecretStr(""), description="Bearer token for the registry, instead of user and password."
    )
    registry_ca: File | None = Field(None, description="CA bundle (PEM) for the registry's certificate.")


class ContractSettings(BaseModel):
    contract_fields: int = Field(
        200,
        ge=1,
        description="Custom fields of one contract. A tenant's count excludes those of the environment.",
        json_schema_extra=reached("Further fields are rejected with 400."),
    )
    contract_choices: int = Field(
        1_000,
        ge=1,
        description="Values in `oneOf` of one field.",
        json_schema_extra=reached("The field is rejected with 400."),
    )
    contract_rules_bytes: int = Field(
        32 << 10,
        ge=1_024,
        description="Size of one field with its rules and default as JSON, in bytes.",
        json_schema_extra=reached("The field is rejected with 400."),
    )
    contract_bytes: int = Field(
        256 << 10,
        ge=4_096,
        description="Size of all custom fields of one contract as JSON, in bytes. A tenant's excludes the "
        "environment's.",
        json_schema_extra=reached("The change is rejected with 400; rules can still be removed."),
    )
    contract_versions: int = Field(
        500,
        ge=1,
        description="Versions of one tenant's contract, or of the environment's, in the registry.",
        json_schema_extra=reached("The change is rejected with 409; rules can still be removed."),
    )


class ClickHouseSettings(BaseModel):
    clickhouse_url: ClickHouseUrl = Field(
        "", description="HTTP URL of ClickHouse, with an optional path prefix. Empty: the embedded ClickHouse."
    )
    clickhouse_user: str = Field("default", description="ClickHouse user.")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="Password of the ClickHouse user.")
    clickhouse_ca: File | None = Field(None, description="CA bundle (PEM) for ClickHouse's certificate.")
    clickhouse_database: str = Field("audit", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="ClickHouse database.")
    clickhouse_partitions: Literal["month", "day"] | None = Field(
        None,
        description="Partitions of the table `events`: `month`, or `day` for more than 500 events per second in one "
        "shard. `init` creates the table accordingly and cannot change it; set the same value for every process. "
        "Empty: those of the existing table; a new table has one partition for each month.",
    )


class WorkerSettings(BaseModel):
    consumer_group: str = Field("auditlane-worker", min_length=1, description="Consumer group of the workers.")
    group_protocol: Literal["auto", "consumer", "classic"] = Field(
        "auto",
        description="Rebalance protocol: `consumer` (KIP-848), `classic` (cooperative-sticky), or `auto`: `consumer` "
        "if the broker supports it.",
    )
    range_rows: int = Field(50_000, ge=1, description="Seal a range at this number of messages.")
    range_bytes: int = Field(32 << 20, ge=1_024, description="Seal a range at this number of bytes.")
    range_age_ms: int = Field(
        1_000, ge=1, description="Seal a range when its first message is this old, in milliseconds."
    )
    insert_parts_per_second: float = Field(
        4.0, gt=0, description="ClickHouse parts that one worker may create per second."
    )
    late_parts_per_second: float = Field(
        4.0,
        gt=0,
        description="ClickHouse parts per second, in one worker, for one tenant's events of past months; the current "
        "and the previous month are free. With daily partitions, days count instead. Bursts of one minute's worth are "
        "allowed; all tenants together have twice this rate.",
        json_schema_extra=reached("The range with these events waits; ranges of other partitions do not."),
    )
    worker_processes_total: int = Field(
        1,
        ge=1,
        description="Total number of worker processes on all machines. The table's deduplication window must be "
        "large enough for them.",
    )
    insert_threads: int = Field(1, ge=1, le=16, description="Concurrent inserts of one worker.")
    insert_timeout_s: float = Field(60.0, gt=0, description="Time limit of one insert, in seconds.")
    worker_buffer_bytes: int = Field(
        96 << 20,
        ge=1 << 20,
        description="Backpressure limit: bytes of messages held in ranges before partitions are paused.",
    )
    dlq_max_ratio: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Halt a partition when more than this fraction of its recent messages is rejected; 1 disables.",
    )
    dlq_ratio_window: int = Field(
        1_000, ge=1, description="Minimum number of recent messages over which `AUDITLANE_DLQ_MAX_RATIO` is computed."
    )
    dlq_ratio_tenants: int = Field(
        3,
        ge=1,
        description="Halt only if the rejected messages come from this number of tenants, or from every tenant of the "
        "partition.",
    )
    registry_refresh_s: float = Field(30.0, gt=0, description="Maximum age of cached registry entries, in seconds.")
    worker_host: str = Field("127.0.0.1", description="Address of the worker's `/metrics` and `/health`.")
    worker_port: Port = Field(8481, description="Port of the worker's `/metrics` and `/health`; 0 chooses a free port.")
    wait_for_store_s: float = Field(
        0.0,
        ge=0,
        description="Time that a starting worker waits for the tables of `auditlane init`, in seconds; 0: a missing "
        "table or column ends it with exit code 2. It waits for an unavailable ClickHouse without a limit.",
    )
    worker_stall_s: float = Field(
        120.0,
        gt=0,
        description="Time without a run of the consuming loop after which a worker's `/health/live` fails, in seconds.",
    )
    shutdown_timeout_s: float = Field(
        20.0,
        gt=0,
        description="Time limit, in seconds, for a stopping worker's ranges and a stopping `serve`'s requests.",
    )


class ServeSettings(BaseModel):
    serve_host: str = Field("127.0.0.1", description="Address that `serve` listens on.")
    serve_port: Port = Field(8480, description="Port that `serve` listens on; 0 chooses a free port.")
    serve_url: HttpUrl = Field(
        "",
        description="Public URL of `serve`. Empty: links can only be created for the address that it listens on.",
    )
    serve_max_concurrency: int = Field(
        256,
        ge=1,
        description="Concurrent requests in one process, from the end of the request body to the response's start.",
        json_schema_extra=reached("Further requests get `503 BUSY`; tokens, health and metrics remain available."),
    )
    serve_requests_per_tenant: int = Field(
        64,
        ge=1,
        description="Concurrent requests about one tenant in one process.",
        json_schema_extra=reached("Further requests get 429 with `Retry-After`."),
    )
    serve_share_per_tenant: float = Field(
        0.1,
        gt=0,
        le=1,
        description="CPU time per second that requests about one tenant may use in one process while other tenants' "
        "requests compete.",
        json_schema_extra=reached(
            "The tenant's requests are queued; a request that would wait more than ten seconds gets 429 with "
            "`Retry-After`."
        ),
    )
    serve_reads_per_tenant: float = Field(
        0.5,
        gt=0,
        description="ClickHouse time per second that one tenant's read requests may use in one process while other "
        "tenants' requests compete. A statement counts 20 ms plus one second per 500 MB read.",
        json_schema_extra=reached("The tenant's read requests are delayed by up to ten seconds; none is rejected."),
    )
    structure_changes_per_minute: int = Field(
        60,
        ge=1,
        description="Changes per minute to one tenant's data structure and contract, or to the environment's, in each "
        "process.",
        json_schema_extra=reached("Further changes get 429 with `Retry-After`."),
    )
    serve_body_bytes: int = Field(
        64 << 20,
        ge=1 << 20,
        description="Bytes of incomplete request bodies in one process, except `POST /v1/events`. One tenant may use a "
        "quarter.",
        json_schema_extra=reached("A tenant above its share gets 429, others get `503 BUSY`."),
    )
    serve_connections: int = Field(
        4_096,
        ge=1,
        description="Open connections of one process. Raises the process's limit of open files as far as permitted.",
        json_schema_extra=reached("Further connections are closed immediately."),
    )
    serve_connections_per_address: int = Field(
        2_048,
        ge=1,
        description="Open connections of one process from one address (IPv6: one /64) that is not a trusted proxy.",
        json_schema_extra=reached("Further connections are closed immediately."),
    )
    serve_head_timeout_s: float = Field(
        20.0,
        gt=0,
        description="Time limit for receiving a request's line and headers, in seconds.",
        json_schema_extra=reached("The connection is closed."),
    )
    serve_bodies_per_address: int = Field(
        1_000,
        ge=1,
        description="Incomplete request bodies from one address (IPv6: one /64) in one process.",
        json_schema_extra=reached("Further requests with a body get 429."),
    )
    serve_body_timeout_s: float = Field(
        20.0, gt=0, description="Time limit for receiving each 64 KiB of a request body, in seconds."
    )
    cors_origins: Annotated[str, AfterValidator(validators.origins)] = Field(
        "",
        description="Origins whose pages may call the API, as `https://app.example,…`. Empty: only auditlane's pages.",
    )
    frame_ancestors: Annotated[str, AfterValidator(validators.origins)] = Field(
        "", description="Origins whose pages may embed `/embed` in a frame, as `https://app.example,…`. Empty: none."
    )
    sign_in_url: SignInUrl = Field(
        "",
        description="Your sign-in page, as `https://app.example/login`. People without a session get a link to it, "
        "with the page to return to in the parameter `return_to`. Empty: they are asked to open the log from your "
        "application.",
    )
    trusted_proxies: Annotated[str, AfterValidator(validators.proxies)] = Field(
        "",
        description="Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are trusted, "
        "or the number of proxies that every request passes. Empty: none.",
    )
    keys_file: Path | None = Field(
        None, description="File of clients and their hashed secrets, managed by `auditlane keys`."
    )
    signing_keys_file: Path | None = Field(None, description="File of keys that sign tokens, cursors and links.")
    links_dir: Path | None = Field(
        None,
        description="Folder that `serve` shares with `auditlane token`, whose links are then short. `auditlane up` "
        "sets it. Empty: links contain their whole code.",
    )
    provenance_keys_file: Path | None = Field(
        None,
        description="File of keys with which `serve` signs events and workers verify them. "
        "Empty: `provenance-keys.json` in the folder of the signing keys.",
    )
    token_ttl_s: int = Field(86_400, ge=60, le=2_592_000, description="Lifetime of a client's token, in seconds.")
    viewer_token_ttl_s: int = Field(
        900, ge=60, le=86_400, description="Default lifetime of a viewer token, in seconds."
    )
    sign_in_failures_per_address: int = Field(
        120,
        ge=1,
        description="Failed authentications (wrong keys or codes) per minute from one address (IPv6: one /64), in each "
        "process.",
        json_schema_extra=reached("Further failures get 429 with `Retry-After`; correct credentials still work."),
    )
    sign_in_failures_per_client: int = Field(
        30,
        ge=1,
        description="Failed authentications per minute with one client id from one address, in each process.",
        json_schema_extra=reached("Further failures get 429 with `Retry-After`; correct credentials still work."),
    )
    tokens_per_client: int = Field(
        1_200,
        ge=1,
        description="Tokens per minute for one client, and viewer tokens per minute that it mints for one tenant, in "
        "each process.",
        json_schema_extra=reached("Further tokens are refused with 429 and `Retry-After`."),
    )
    audit_aggregation_s: float = Field(
        60.0,
        ge=0,
        description="Window, in seconds, in which repeated reads or denials of one actor are recorded as one audit "
        "event; 0 records each one, including each viewer token. Otherwise, viewer tokens after the first are counted "
        "per hour.",
    )
    query_timeout_s: float = Field(30.0, gt=0, description="Time limit of one query, in seconds.")
    query_memory_bytes: int = Field(
        2 << 30, ge=1 << 20, description="ClickHouse memory that one query may use, in bytes."
    )
    query_max_rows_read: int = Field(0, ge=0, description="Rows that one tenant's query may read; 0: unlimited.")
    geoip_file: File | None = Field(
        None,
        description="City or country database in MaxMind's format (.mmdb), which adds countries to the IP addresses of "
        "events, and locations in Frontegg's API. It is reloaded when it is replaced.",
    )
    stream_poll_s: float = Field(1.0, gt=0, description="Poll interval of live streams, in seconds.")
    streams_per_tenant: int = Field(
        50,
        ge=1,
        description="Live streams of one tenant in one process.",
        json_schema_extra=reached("Further streams get 429 with `Retry-After`."),
    )
    streams_per_user: int = Field(
        20,
        ge=1,
        description="Live streams of one user or client in one process.",
        json_schema_extra=reached("Further streams get 429 with `Retry-After`."),
    )
    query_concurrency: int = Field(
        16,
        ge=1,
        description="Concurrent queries of one tenant in one process, including the counting of rows for an export.",
        json_schema_extra=reached("Further queries get 429 with `Retry-After`."),
    )


class SavedViewSettings(BaseModel):
    saved_views_per_person: int = Field(
        50,
        ge=1,
        description="Saved views of one person in one tenant.",
        json_schema_extra=reached("A further view is rejected with 409."),
    )
    saved_views_per_tenant: int = Field(
        50,
        ge=1,
        description="Saved views that are shared by everyone in one tenant.",
        json_schema_extra=reached("A further view is rejected with 409."),
    )
    saved_view_changes_per_minute: int = Field(
        60,
        ge=1,
        description="Changes per minute to the saved views of one tenant and its people, in each process.",
        json_schema_extra=reached("Further changes get 429 with `Retry-After`."),
    )


class TrailSettings(BaseModel):
    trail_lifecycle: bool = Field(
        True, description="Record starts, stops, restarts and new versions of `worker` and `serve` as audit events."
    )
    trail_spool_dir: Path | None = Field(
        None,
        description="Folder in which a process spools auditlane's own audit events that Kafka has not acknowledged. "
        "Processes and replicas may share it. Empty: `trail` in the folder of the signing keys.",
    )
    trail_spool_bytes: int = Field(
        64 << 20,
        ge=1 << 16,
        description="Bytes of spooled audit events in `AUDITLANE_TRAIL_SPOOL_DIR`. One tenant may use half.",
        json_schema_extra=reached("Further events are dropped, counted and reported in one event `events.dropped`."),
    )


class OidcSettings(BaseModel):
    oidc_issuer: Annotated[str, AfterValidator(_unless_empty(validators.issuer))] = Field(
        "", description="OpenID Connect issuer whose tokens are accepted, exactly as in their `iss`. Empty: none."
    )
    oidc_audience: Annotated[str, AfterValidator(_with_an_issuer)] = Field(
        "", validate_default=True, description="Accepted audiences (`aud`) of the issuer's tokens, separated by commas."
    )
    oidc_jwks_url: HttpUrl = Field("", description="URL of the issuer's keys. Empty: as in its discovery document.")
    oidc_ca: File | None = Field(None, description="CA bundle (PEM) for the issuer's certificate.")
    oidc_tenant_claim: str = Field("tenantId", min_length=1, description="Claim with the tenant, as a dotted path.")
    oidc_user_claim: str = Field("sub", min_length=1, description="Claim with the user, as a dotted path.")
    oidc_permissions_claim: str = Field(
        "permissions", min_length=1, description="Claim with permissions, as a dotted path."
    )
    oidc_roles_claim: str = Field("roles", min_length=1, description="Claim with roles, as a dotted path.")
    oidc_permissions: JsonObject = Field(
        default_factory=lambda: {"fe.secure.read.audits": ["audits:read"]},
        description="Mapping of the issuer's permissions to auditlane's, as JSON: each name to a list.",
    )
    oidc_roles: JsonObject = Field(
        default_factory=dict, description="Mapping of the issuer's roles to auditlane's permissions, as JSON."
    )
    oidc_leeway_s: float = Field(30.0, ge=0, le=300, description="Tolerated clock skew of the issuer, in seconds.")


class GatewaySettings(BaseModel):
    ingest_body_bytes: int = Field(
        32 << 20,
        ge=1_024,
        description="Maximum body size of `POST /v1/events` in bytes, before and after decompression.",
    )
    ingest_document_bytes: int = Field(
        8 << 20,
        ge=1_024,
        description="Maximum body size of `POST /v1/events` in bytes for a JSON document, which is buffered "
        "completely; NDJSON is not.",
    )
    ingest_request_events: int = Field(100_000, ge=1, description="Maximum number of events in one request.")
    ingest_rate: float = Field(
        2_000.0,
        ge=0,
        description="Events per second of one tenant from one key, in each process; 0: unlimited.",
        json_schema_extra=reached(
            "Further events get 429 with `Retry-After`; other tenants' events are still accepted."
        ),
    )
    ingest_past_months: float = Field(
        1.0,
        gt=0,
        description="Distinct past months per second in one tenant's events, in each process; the current and the "
        "previous month are free. With `AUDITLANE_CLICKHOUSE_PARTITIONS=day`, days count instead; those of the last "
        "week are free. Bursts of ten seconds' worth are allowed.",
        json_schema_extra=reached("Events of further past months or days get 429 with `Retry-After`."),
    )
    ingest_burst: int = Field(
        10_000,
        ge=1,
        description="Burst size of `AUDITLANE_INGEST_RATE`, in events.",
        json_schema_extra=reached("`AUDITLANE_INGEST_RATE` applies."),
    )
    ingest_pattern_steps: int = Field(
        20_000_000,
        ge=100_000,
        description="Pattern-matching steps per second for one tenant, in each process, with bursts of five times this "
        "number. A step is one state of a pattern times one byte of a value, up to 12 ns. Events with fewer than "
        "5,000 steps are free.",
        json_schema_extra=reached("Further events of the tenant get 429 with `Retry-After`."),
    )
    test_events_per_minute: int = Field(
        10,
        ge=1,
        description="Test events per minute of one tenant in one process.",
        json_schema_extra=reached("Further test events get 429 with `Retry-After`."),
    )
    ingest_ack_timeout_ms: int = Field(
        2_500,
        ge=100,
        le=60_000,
        description="Time to wait for Kafka's acknowledgement before responding with 503, in milliseconds.",
    )
    ingest_buffer_bytes: int = Field(
        64 << 20,
        ge=1 << 20,
        description="Bytes of buffered request bodies and of events in flight to Kafka, in one process. One sender may "
        "use half.",
        json_schema_extra=reached("A sender above its half gets 429, others get `503 BUFFER_FULL`."),
    )
    ingest_spool_bytes: Annotated[int, AfterValidator(_none_or_a_mebibyte)] = Field(
        0,
        ge=0,
        description="Maximum size, in bytes, of the events that the gateway accepts and stores on disk while Kafka is "
        "unavailable. 0: none, and such requests get 503. Above the limit, they get `503 BUFFER_FULL`.",
    )
    ingest_spool_dir: Path | None = Field(
        None,
        description="Folder of these events, on a local disk that outlives the process. Processes on one host may "
        "share it. Empty: `ingest` in the folder of the signing keys.",
    )


class OutboxSettings(BaseModel):
    outbox_url: str = Field(
        "",
        json_schema_extra=CONTAINS_SECRET,
        description="SQLAlchemy URL of the database with the outbox, such as `postgresql+psycopg://user:password@host/"
        "app`, for `auditlane outbox`.",
    )
    outbox_table: str = Field(
        "auditlane_outbox",
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*\.)?[A-Za-z_][A-Za-z0-9_]*$",
        description="Table of the outbox, with its schema if it is not the default one.",
    )
    outbox_batch: int = Field(500, ge=1, le=10_000, description="Rows that the relay sends per transaction, at most.")
    outbox_poll_s: float = Field(
        1.0, ge=0.05, le=60, description="Longest pause of the relay between two queries for new rows, in seconds."
    )
    outbox_ordered: bool = Field(
        False, description="Keep the order of each tenant's events even if several relays share the table."
    )


class ExportSettings(BaseModel):
    export_dir: Path | None = Field(
        None,
        description="Folder for the state and files of export jobs; replicas share it. "
        "Empty: `exports` in the folder of the signing keys.",
    )
    export_url: Annotated[str, AfterValidator(_unless_empty(validators.bucket_url))] = Field(
        "",
        description="Bucket of S3-compatible storage for the state and files of export jobs, as `s3://bucket/prefix`, "
        "instead of the folder; needs `auditlane[s3]`.",
    )
    export_s3_endpoint: HttpUrl = Field(
        "", description="URL of the storage of `AUDITLANE_EXPORT_URL`. Empty: Amazon S3 in its region."
    )
    export_s3_region: str = Field(
        "",
        description="Region of the bucket. Empty: `AWS_REGION`; with an endpoint, `us-east-1`.",
    )
    export_s3_access_key: str = Field(
        "",
        description="Access key id for the bucket. Empty: the AWS_* variables, or the account of the pod or instance.",
    )
    export_s3_secret_key: Annotated[SecretStr, AfterValidator(_with_an_access_key)] = Field(
        SecretStr(""), validate_default=True, description="Secret access key of `AUDITLANE_EXPORT_S3_ACCESS_KEY`."
    )
    export_expire_s: int = Field(86_400, ge=60, description="Time for which a finished job's file is kept, in seconds.")
    export_jobs_per_tenant: int = Field(
        10,
        ge=1,
        description="Export jobs of one tenant that have not expired.",
        json_schema_extra=reached("Further jobs get 409 `TOO_MANY_EXPORTS`."),
    )
    export_concurrency: int = Field(2, ge=0, description="Concurrent jobs of one `serve` process; 0 only accepts jobs.")
    export_jobs_running_per_tenant: int = Field(
        1,
        ge=1,
        description="Concurrent jobs of one tenant in one `serve` process.",
        json_schema_extra=reached("The tenant's other jobs wait."),
    )
    export_bytes_per_tenant: int = Field(
        10 << 30,
        ge=1 << 20,
        description="Bytes of one tenant's files in `AUDITLANE_EXPORT_DIR` or the bucket.",
        json_schema_extra=reached("Further jobs get 409 `TOO_MANY_EXPORTS`; a running job fails with that code."),
    )
    export_disk_free_bytes: int = Field(
        1 << 30,
        ge=1 << 20,
        description="Disk space that export jobs keep free at `AUDITLANE_EXPORT_DIR`, in bytes.",
        json_schema_extra=reached("Further jobs get 503; a running job waits briefly, then fails."),
    )
    export_downloads_per_tenant: int = Field(
        2,
        ge=1,
        description="Concurrent export downloads of one tenant in one process.",
        json_schema_extra=reached("Further downloads get 429 with `Retry-After`."),
    )
    export_pdfs: int = Field(
        2,
        ge=1,
        description="Concurrent PDF and Excel exports of one process; each is made in a separate process.",
        json_schema_extra=reached("Further ones wait; after `AUDITLANE_QUERY_TIMEOUT_S` they get `503 BUSY`."),
    )
    export_pdfs_per_tenant: int = Field(
        1,
        ge=1,
        description="Concurrent PDF and Excel exports of one tenant in one process.",
        json_schema_extra=reached("Further ones get 429 with `Retry-After`."),
    )
    export_pdf_memory_bytes: int = Field(
        1 << 30,
        ge=256 << 20,
        description="Memory limit of a process that renders a PDF, in bytes.",
        json_schema_extra=reached("A download is truncated; a job fails with `QUERY_TOO_LARGE`."),
    )
    export_pdf_timeout_s: int = Field(
        300,
        ge=1,
        description="Time limit for rendering a PDF, in seconds.",
        json_schema_extra=reached("A download is truncated; a job fails with `QUERY_TOO_LARGE`."),
    )
    export_xlsx_memory_bytes: int = Field(
        1 << 30,
        ge=256 << 20,
        description="Memory limit of a process that makes an Excel file, in bytes.",
        json_schema_extra=reached("A download is truncated; a job fails with `QUERY_TOO_LARGE`."),
    )
    export_xlsx_timeout_s: int = Field(
        3600,
        ge=1,
        description="Time limit for making an Excel file, in seconds.",
        json_schema_extra=reached("A download is truncated; a job fails with `QUERY_TOO_LARGE`."),
    )
    export_lease_s: float = Field(
        15.0,
        ge=1,
        description="Lease of a job, in seconds: another `serve` resumes the job if its process has not renewed it.",
    )
    export_font: File | None = Field(
        None,
        description="TrueType or OpenType font for characters missing from DejaVu Sans in PDFs, such as Chinese.",
    )


class ObserveSettings(BaseModel):
    observe_every_s: float = Field(
        15.0,
        ge=0,
        le=60,
        description="Interval at which one `serve` process of the installation checks it, in seconds; 0: never.",
    )
    observe_lag_s: float = Field(
        60.0,
        gt=0,
        description="Age of the oldest event that is not stored, in seconds, above which `lag.detected` is recorded; "
        "`lag.cleared` below half of it.",
    )
    observe_disk_free_ratio: float = Field(
        0.1,
        gt=0,
        le=0.5,
        description="Free fraction of a disk below which `disk.filling` is recorded; `disk.freed` above twice as much.",
    )
    observe_expiry_days: float = Field(
        14.0,
        gt=0,
        le=3_650,
        description="Remaining days below which `certificate.expiring` or `key.expiring` is recorded, if less than a "
        "third of its lifetime remains too.",
    )
    observe_checks: int = Field(
        3, ge=1, description="Consecutive checks that must agree before lag or a disk is reported."
    )
    observe_gap_s: float = Field(
        600.0, ge=0, le=86_400, description="Minimum time between two reports that one condition has begun, in seconds."
    )


class CanarySettings(BaseModel):
    canary_every_s: float = Field(15.0, ge=1, description="Interval between two events of the canary, in seconds.")
    canary_late_s: float = Field(
        30.0,
        gt=0,
        description="Time within which an event of the canary must be acknowledged by Kafka and visible, in seconds.",
    )
    canary_lost_s: float = Field(
        300.0, gt=0, description="Time after which the canary counts an event that is not visible as lost, in seconds."
    )
    serve_canary: bool = Field(
        False,
        description="Send the canary's events from the `serve` process that observes the installation, instead of from "
        "`auditlane canary`.",
    )


class SecuritySettings(BaseModel):
    security_check_every_h: int = Field(
        24,
        ge=0,
        le=8_760,
        description="Hours between the security checks that `serve` makes, once for all of its processes; 0: none.",
    )
    security_client_key_days: int = Field(
        365, ge=1, le=36_500, description="Age in days above which the security check reports a client's secret."
    )
    security_signing_key_days: int = Field(
        365, ge=1, le=36_500, description="Age in days above which the security check reports the signing key."
    )
    security_provenance_key_days: int = Field(
        365, ge=1, le=36_500, description="Age in days above which the security check reports the provenance key."
    )
    security_certificate_days: int = Field(
        30, ge=1, le=36_500, description="Days before its expiry from which the security check reports a certificate."
    )
    security_password_length: int = Field(
        16, ge=1, description="Length in characters below which the security check reports a password."
    )


class LocalSettings(BaseModel):
    data_dir: Path = Field(Path(".data/auditlane"), description="Data directory of the embedded stack.")
    cache_dir: Path | None = Field(None, description="Folder for downloads. Empty: the user's cache folder.")


class LogSettings(BaseModel):
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum level of logged messages."
    )
    log_json: bool | None = Field(None, description="Log as JSON lines. Empty: only if stderr is not a terminal.")


class TracingSettings(BaseModel):
    tracing: Literal["off", "otlp"] = Field(
        "off",
        description="`otlp` exports traces of `worker` and `serve` as configured by OpenTelemetry's OTEL_* variables; "
        "needs `auditlane[otel]`.",
    )


GROUPS: tuple[type[BaseModel], ...] = (
    KafkaSettings,
    RegistrySettings,
    ContractSettings,
    ClickHouseSettings,
    WorkerSettings,
    ServeSettings,
    SavedViewSettings,
    TrailSettings,
    OidcSettings,
    GatewaySettings,
    OutboxSettings,
    ExportSettings,
    ObserveSettings,
    CanarySettings,
    SecuritySettings,
    LocalSettings,
    LogSettings,
    TracingSettings,
)


class Settings(
    KafkaSettings,
    RegistrySettings,
    ContractSettings,
    ClickHouseSettings,
    WorkerSettings,
    ServeSettings,
    SavedViewSettings,
    TrailSettings,
    OidcSettings,
    GatewaySettings,
    OutboxSettings,
    ExportSettings,
    ObserveSettings,
    CanarySettings,
    SecuritySettings,
    LocalSettings,
    LogSettings,
    TracingSettings,
    BaseSettings,
):
    """The settings of one process, which are read once at start-up and passed on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the given values first, then the environment, and then the secret files that the environment names."""
        return init_settings, env_settings, _SecretFiles(settings_cls)


class _SecretFiles(PydanticBaseSettingsSource):
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # called only by the base class's own __call__

    def __call__(self) -> dict[str, Any]:
        found = secret_files.values(os.environ, map(variable, SECRETS))
        return {name: found[variable(name)] for name in SECRETS if variable(name) in found}


SECRETS: Final = tuple(name for name, field in Settings.model_fields.items() if is_secret(field))


def variable(field: str) -> str:
    """Return the name of the environment variable for a setting."""
    return PREFIX + field.upper()


def files_of_secrets() -> dict[str, Path]:
    """Return the paths of the secret files, keyed by the environment variable that contains the path."""
    found = secret_files.given(os.environ, map(variable, SECRETS))
    return {name + secret_files.SUFFIX: path for name, path in found.items()}


def load(**given: Any) -> Settings:
    """Read the settings from the environment. Values in `given`, such as command-line options, take precedence unless
    they are None.

    Raises ConfigError, naming every invalid variable.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [
            f"  {variable(str(problem['loc'][0]))}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False)
        ]
        raise ConfigError("The settings are not valid:\n" + "\n".join(lines)) from error
