"""Every setting, each read from `AUDITLANE_<NAME>`; the docs' table is generated from these fields.

The groups below only order the table. An empty setting selects the embedded service, or the default that it names.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from auditlane.runtime import validators
from auditlane.runtime.errors import ConfigError

PREFIX = "AUDITLANE_"


def _unless_empty(check: Callable[[str], str]) -> Callable[[str], str]:
    """Apply `check` unless the value is empty, which selects the embedded service."""
    return lambda value: value and check(value)


def _outside_the_workers_topics(value: str, info: ValidationInfo) -> str:
    shared = info.data.get("topic")  # absent if it is invalid itself
    return validators.dead_letter_topic(value, shared) if shared else value


def _json_object(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"must be a JSON object: {error}") from error


def _with_an_issuer(value: str, info: ValidationInfo) -> str:
    """Require an audience: without one, tokens that the issuer made for other services would be accepted too."""
    if info.data.get("oidc_issuer") and not value.strip(" ,"):
        raise ValueError("must name the audience that tokens of AUDITLANE_OIDC_ISSUER have for this service")
    return value


JsonObject = Annotated[dict[str, Any], NoDecode, BeforeValidator(_json_object)]
HttpUrl = Annotated[str, AfterValidator(_unless_empty(validators.http_url))]
RegistryUrl = Annotated[str, AfterValidator(_unless_empty(validators.registry_url))]
ClickHouseUrl = Annotated[str, AfterValidator(_unless_empty(validators.clickhouse_url))]
Bootstrap = Annotated[str, AfterValidator(_unless_empty(validators.bootstrap))]
Topic = Annotated[str, AfterValidator(validators.topic)]
DeadLetterTopic = Annotated[Topic, AfterValidator(_outside_the_workers_topics)]
File = Annotated[Path, AfterValidator(validators.file)]
Port = Annotated[int, Field(ge=0, le=65_535)]


def reached(consequence: str) -> Any:
    """Mark a setting as a budget that keeps one tenant or client from exhausting a shared resource.

    `consequence` states what happens when the budget is reached; the table in docs/operate/serve.md is generated from
    it. Pass the result as `json_schema_extra`. The default of a budget is never 0 or unlimited.
    """
    return {"budget": consequence}


def budget_of(field: FieldInfo) -> str:
    """Return what happens when this budget is reached; empty if the setting is not a budget."""
    extra = field.json_schema_extra
    return str(extra.get("budget", "")) if isinstance(extra, dict) else ""


class KafkaSettings(BaseModel):
    kafka_bootstrap: Bootstrap = Field(
        "", description="Kafka brokers, `host:port,host:port`. Empty: the embedded broker."
    )
    kafka_extra: JsonObject = Field(
        default_factory=dict,
        description='librdkafka options as JSON, for SASL and TLS: `{"security.protocol": "SASL_SSL", …}`; '
        "none that a guarantee rests on.",
    )
    kafka_home: Path | None = Field(None, description="An unpacked Kafka to run instead of the downloaded one.")
    topic: Topic = Field("audit.events", description="The shared topic; `<topic>.<tenant>` are dedicated topics.")
    dead_letter_topic: DeadLetterTopic = Field(
        "audit.dead-letters",
        validate_default=True,  # with the topic `audit` the default would be one of its dedicated topics
        description="Where refused messages are kept; neither the topic nor one that begins with `<topic>.`.",
    )
    topic_partitions: int = Field(6, ge=1, description="Partitions of a topic that `init` creates.")
    topic_replication_factor: int = Field(1, ge=1, description="Replicas of a topic that `init` creates.")
    topic_retention_hours: int = Field(24 * 7, ge=24 * 7, description="How long events stay in Kafka; at least a week.")
    max_event_bytes: int = Field(524_288, ge=1_024, description="The largest encoded event.")


class RegistrySettings(BaseModel):
    registry_url: RegistryUrl = Field(
        "", description="The schema registry; its path is a prefix. Empty: the embedded one."
    )
    registry_user: str = Field("", description="User for basic authentication at the registry.")
    registry_password: SecretStr = Field(SecretStr(""), description="Password for basic authentication.")
    registry_token: SecretStr = Field(SecretStr(""), description="Bearer token, instead of user and password.")
    registry_ca: File | None = Field(None, description="CA bundle (PEM) for the registry's certificate.")


class ContractSettings(BaseModel):
    contract_fields: int = Field(
        200,
        ge=1,
        description="Own fields of one contract. A tenant's are counted without the environment's.",
        json_schema_extra=reached("One more field is refused with 400."),
    )
    contract_choices: int = Field(
        1_000,
        ge=1,
        description="Values that `oneOf` of one field may list.",
        json_schema_extra=reached("The field is refused with 400."),
    )
    contract_rules_bytes: int = Field(
        32 << 10,
        ge=1_024,
        description="Bytes of one field with its rules and default, as JSON.",
        json_schema_extra=reached("The field is refused with 400."),
    )
    contract_bytes: int = Field(
        256 << 10,
        ge=4_096,
        description="Bytes of all own fields of one contract, as JSON; a tenant's without the environment's.",
        json_schema_extra=reached("The change is refused with 400; rules can still be removed."),
    )
    contract_versions: int = Field(
        500,
        ge=1,
        description="Versions of one tenant's contract, or of the environment's, that the registry keeps.",
        json_schema_extra=reached("The change is refused with 409; rules can still be removed."),
    )


class ClickHouseSettings(BaseModel):
    clickhouse_url: ClickHouseUrl = Field(
        "", description="ClickHouse over HTTP; its path is a prefix. Empty: the embedded engine."
    )
    clickhouse_user: str = Field("default", description="ClickHouse user.")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="Its password.")
    clickhouse_ca: File | None = Field(None, description="CA bundle (PEM) for ClickHouse's certificate.")
    clickhouse_database: str = Field("audit", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="The database.")


class WorkerSettings(BaseModel):
    consumer_group: str = Field("auditlane-worker", min_length=1, description="The workers' consumer group.")
    group_protocol: Literal["auto", "consumer", "classic"] = Field(
        "auto", description="`consumer` is KIP-848, `classic` is cooperative-sticky, `auto` takes what the broker has."
    )
    range_rows: int = Field(50_000, ge=1, description="Seal a range at this many messages.")
    range_bytes: int = Field(32 << 20, ge=1_024, description="… or at this many bytes.")
    range_age_ms: int = Field(1_000, ge=1, description="… or when its first message has waited this long.")
    insert_parts_per_second: float = Field(4.0, gt=0, description="Budget of ClickHouse parts for one worker.")
    late_parts_per_second: float = Field(
        4.0,
        gt=0,
        description="ClickHouse parts of one tenant for events of months before the last one, in one worker; "
        "a minute's worth may come at once, and all tenants together have twice that.",
        json_schema_extra=reached("The range that they are in waits; ranges of other partitions do not."),
    )
    worker_processes_total: int = Field(
        1,
        ge=1,
        description="Worker processes in all, on every machine: the table's deduplication window must fit them.",
    )
    insert_threads: int = Field(1, ge=1, le=16, description="Inserts in flight at once.")
    insert_timeout_s: float = Field(60.0, gt=0, description="How long one insert may take.")
    worker_buffer_bytes: int = Field(
        96 << 20, ge=1 << 20, description="Bytes held in ranges before partitions are paused."
    )
    dlq_max_ratio: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Halt a partition when more than this fraction of its recent messages is rejected; 1 disables.",
    )
    dlq_ratio_window: int = Field(
        1_000, ge=1, description="How many recent messages the fraction is taken of, at least."
    )
    dlq_ratio_tenants: int = Field(
        3, ge=1, description="The rejections must come from this many tenants, or from every tenant of the partition."
    )
    registry_refresh_s: float = Field(30.0, gt=0, description="How old what is known of the registry may be.")
    worker_host: str = Field("127.0.0.1", description="Address of the worker's `/metrics` and `/health`.")
    worker_port: Port = Field(8481, description="Port of the worker's `/metrics` and `/health`; 0 takes a free one.")
    shutdown_timeout_s: float = Field(
        20.0, gt=0, description="How long a stopping worker may take to finish its ranges."
    )


class ServeSettings(BaseModel):
    serve_host: str = Field("127.0.0.1", description="Address that `serve` listens on.")
    serve_port: Port = Field(8480, description="Port that `serve` listens on; 0 takes a free one.")
    serve_url: HttpUrl = Field(
        "", description="Where clients reach `serve`; without it links are made only for the address it listens on."
    )
    serve_max_concurrency: int = Field(
        256,
        ge=1,
        description="Requests worked on at once in a process: from the end of the body to the begin of the answer.",
        json_schema_extra=reached("One more is answered `503 BUSY`; tokens, health and metrics go on."),
    )
    serve_requests_per_tenant: int = Field(
        64,
        ge=1,
        description="… of these about one tenant.",
        json_schema_extra=reached("One more is refused with 429 and `Retry-After`."),
    )
    serve_share_per_tenant: float = Field(
        0.2,
        gt=0,
        le=1,
        description="CPU seconds a second, of a process, that requests about one tenant may take while others ask.",
        json_schema_extra=reached(
            "Each of its requests waits for its turn; one that would wait more than ten seconds is refused with 429 "
            "and `Retry-After`."
        ),
    )
    serve_reads_per_tenant: float = Field(
        0.5,
        gt=0,
        description="Seconds of ClickHouse's work a second that one tenant's reading requests may cause, in a process, "
        "while others ask: 20 ms for each statement, and a second for each 500 MB that it reads.",
        json_schema_extra=reached("Each of its reading requests waits, up to ten seconds; none is refused."),
    )
    structure_changes_per_minute: int = Field(
        60,
        ge=1,
        description="Changes of one tenant's structure and contract, or of the environment's, in each process.",
        json_schema_extra=reached("The change is refused with 429 and `Retry-After`."),
    )
    serve_body_bytes: int = Field(
        64 << 20,
        ge=1 << 20,
        description="Bytes of unfinished bodies in a process, beside `POST /v1/events`; one tenant has a quarter.",
        json_schema_extra=reached("A tenant above its share gets 429, others `503 BUSY`."),
    )
    serve_connections: int = Field(
        4_096,
        ge=1,
        description="Open connections of a process; the limit of open files is raised for them as far as it may be.",
        json_schema_extra=reached("One more is closed at once."),
    )
    serve_connections_per_address: int = Field(
        2_048,
        ge=1,
        description="… from one address (IPv6: one /64) that is no trusted proxy.",
        json_schema_extra=reached("One more is closed at once."),
    )
    serve_head_timeout_s: float = Field(
        20.0,
        gt=0,
        description="How long a request's line and headers may take to come.",
        json_schema_extra=reached("The connection is closed."),
    )
    serve_bodies_per_address: int = Field(
        1_000,
        ge=1,
        description="Unfinished bodies from one address (IPv6: one /64) in a process.",
        json_schema_extra=reached("One more request with a body is refused with 429."),
    )
    serve_body_timeout_s: float = Field(20.0, gt=0, description="How long each 64 KiB of a body may take to come.")
    cors_origins: Annotated[str, AfterValidator(validators.origins)] = Field(
        "", description="Origins whose pages may call the API, `https://app.example,…`. Empty: only our own pages."
    )
    frame_ancestors: Annotated[str, AfterValidator(validators.origins)] = Field(
        "", description="Origins whose pages may show `/embed` in a frame, `https://app.example,…`. Empty: none."
    )
    trusted_proxies: Annotated[str, AfterValidator(validators.networks)] = Field(
        "", description="Addresses or networks whose `X-Forwarded-For` and `-Proto` are believed. Empty: none."
    )
    keys_file: Path | None = Field(None, description="Clients and their hashed secrets; `auditlane keys` writes it.")
    signing_keys_file: Path | None = Field(None, description="Keys that sign tokens, cursors and links.")
    provenance_keys_file: Path | None = Field(
        None,
        description="Keys with which `serve` signs what it takes, and workers verify it. "
        "Empty: `provenance-keys.json` beside the signing keys.",
    )
    token_ttl_s: int = Field(86_400, ge=60, le=2_592_000, description="Life of a client's token.")
    viewer_token_ttl_s: int = Field(900, ge=60, le=86_400, description="Life of a viewer token unless asked otherwise.")
    sign_in_failures_per_address: int = Field(
        120,
        ge=1,
        description="Wrong keys and codes from one address (IPv6: one /64) a minute, in each process.",
        json_schema_extra=reached("A further wrong one is answered 429 with `Retry-After`; a right one is let in."),
    )
    sign_in_failures_per_client: int = Field(
        30,
        ge=1,
        description="… with one client id, from that address.",
        json_schema_extra=reached("A further wrong one is answered 429 with `Retry-After`; a right one is let in."),
    )
    tokens_per_client: int = Field(
        1_200,
        ge=1,
        description="Tokens of one client a minute, and viewer tokens that it mints for one tenant, in each process.",
        json_schema_extra=reached("One more is refused with 429 and `Retry-After`."),
    )
    audit_aggregation_s: float = Field(
        60.0,
        ge=0,
        description="Seconds within which reads or refusals of one actor become one audit event; 0 records each.",
    )
    trail_spool_dir: Path | None = Field(
        None,
        description="Where events of our own wait that Kafka has not taken when `serve` ends; replicas may share it. "
        "Empty: `trail` beside the signing keys.",
    )
    trail_spool_bytes: int = Field(
        64 << 20,
        ge=1 << 16,
        description="Bytes of events of our own that may wait there, in all files; half of them of one tenant's.",
        json_schema_extra=reached("What comes on top is dropped, counted, and told in one event `events.dropped`."),
    )
    query_timeout_s: float = Field(30.0, gt=0, description="How long one query may take.")
    query_memory_bytes: int = Field(2 << 30, ge=1 << 20, description="Memory of ClickHouse that one query may take.")
    query_max_rows_read: int = Field(
        0, ge=0, description="Rows that one query of a tenant may read; 0: as many as there are."
    )
    geoip_file: File | None = Field(
        None, description="Places of addresses for Frontegg's page, a city or country file in MaxMind's format."
    )
    stream_poll_s: float = Field(1.0, gt=0, description="How often live streams look for what arrived.")
    streams_per_tenant: int = Field(
        50,
        ge=1,
        description="Live streams of one tenant, in one process.",
        json_schema_extra=reached("One more stream is refused with 429 and `Retry-After`."),
    )
    streams_per_user: int = Field(
        20,
        ge=1,
        description="… of these of one user or client.",
        json_schema_extra=reached("One more stream is refused with 429 and `Retry-After`."),
    )
    query_concurrency: int = Field(
        16,
        ge=1,
        description="Queries of one tenant that may run at once, in one process; counting for an export is one.",
        json_schema_extra=reached("One more query is refused with 429 and `Retry-After`."),
    )


class OidcSettings(BaseModel):
    oidc_issuer: Annotated[str, AfterValidator(_unless_empty(validators.issuer))] = Field(
        "", description="An OpenID Connect issuer whose tokens are taken, as their `iss` says it. Empty: none."
    )
    oidc_audience: Annotated[str, AfterValidator(_with_an_issuer)] = Field(
        "", validate_default=True, description="What their `aud` must hold: one of these, separated by commas."
    )
    oidc_jwks_url: HttpUrl = Field("", description="Where its keys are. Empty: its discovery document says.")
    oidc_ca: File | None = Field(None, description="CA bundle (PEM) for the issuer's certificate.")
    oidc_tenant_claim: str = Field("tenantId", min_length=1, description="The claim with the tenant; a dotted path.")
    oidc_user_claim: str = Field("sub", min_length=1, description="The claim with the user.")
    oidc_permissions_claim: str = Field("permissions", min_length=1, description="The claim with permissions.")
    oidc_roles_claim: str = Field("roles", min_length=1, description="The claim with roles.")
    oidc_permissions: JsonObject = Field(
        default_factory=lambda: {"fe.secure.read.audits": ["audits:read"]},
        description="What their permissions allow here, as JSON: name to a list of ours.",
    )
    oidc_roles: JsonObject = Field(default_factory=dict, description="What their roles allow here, likewise.")
    oidc_leeway_s: float = Field(30.0, ge=0, le=300, description="How far the issuer's clock may differ.")


class GatewaySettings(BaseModel):
    ingest_body_bytes: int = Field(
        32 << 20,
        ge=1_024,
        description="The largest body that `POST /v1/events` takes, before and after it is decompressed.",
    )
    ingest_document_bytes: int = Field(
        8 << 20, ge=1_024, description="… when it is one JSON document, which is held whole; NDJSON is not."
    )
    ingest_request_events: int = Field(100_000, ge=1, description="The most events that one request may hold.")
    ingest_rate: float = Field(
        2_000.0,
        ge=0,
        description="Events of one tenant a second from one key, in each process; 0: any number.",
        json_schema_extra=reached("Further events are refused with 429 and `Retry-After`, other tenants' are taken."),
    )
    ingest_past_months: float = Field(
        1.0,
        gt=0,
        description="Months before the last one that one tenant's events may be of, a second, in each process; ten "
        "seconds' worth at once.",
        json_schema_extra=reached("Events of further past months are refused with 429 and `Retry-After`."),
    )
    ingest_burst: int = Field(
        10_000,
        ge=1,
        description="How many of them a key may send at once before that counts.",
        json_schema_extra=reached("`AUDITLANE_INGEST_RATE` counts."),
    )
    ingest_pattern_steps: int = Field(
        20_000_000,
        ge=100_000,
        description="Steps of one tenant's patterns a second, in each process, and five times as many at once: states "
        "of a pattern times bytes of a value, up to 12 ns each. An event with less than 5,000 does not count.",
        json_schema_extra=reached("Further events of the tenant are refused with 429 and `Retry-After`."),
    )
    test_events_per_minute: int = Field(
        10,
        ge=1,
        description="Test events of one tenant in a minute, in one process.",
        json_schema_extra=reached("One more test event is refused with 429 and `Retry-After`."),
    )
    ingest_ack_timeout_ms: int = Field(
        2_500, ge=100, le=60_000, description="How long Kafka may take to acknowledge before the answer is 503."
    )
    ingest_buffer_bytes: int = Field(
        64 << 20,
        ge=1 << 20,
        description="Bytes of bodies held at once, and of events on their way to Kafka; one sender has half of it.",
        json_schema_extra=reached("A sender above its half gets 429, others `503 BUFFER_FULL`."),
    )


class ExportSettings(BaseModel):
    export_dir: Path | None = Field(
        None,
        description="Where export jobs keep their state and files; replicas share it. "
        "Empty: `exports` beside the signing keys.",
    )
    export_expire_s: int = Field(86_400, ge=60, description="How long a job's file is kept after its end.")
    export_jobs_per_tenant: int = Field(
        10,
        ge=1,
        description="Export jobs of one tenant, until they expire.",
        json_schema_extra=reached("One more job is refused with 409 `TOO_MANY_EXPORTS`."),
    )
    export_concurrency: int = Field(2, ge=0, description="Jobs that one `serve` works on at once; 0 only takes them.")
    export_jobs_running_per_tenant: int = Field(
        1,
        ge=1,
        description="… of these of one tenant.",
        json_schema_extra=reached("The tenant's other jobs wait."),
    )
    export_bytes_per_tenant: int = Field(
        10 << 30,
        ge=1 << 20,
        description="Bytes of one tenant's files in `AUDITLANE_EXPORT_DIR`.",
        json_schema_extra=reached(
            "One more job is refused with 409 `TOO_MANY_EXPORTS`; one that goes on fails with it."
        ),
    )
    export_disk_free_bytes: int = Field(
        1 << 30,
        ge=1 << 20,
        description="Bytes that export jobs leave free on the disk of `AUDITLANE_EXPORT_DIR`.",
        json_schema_extra=reached("One more job is refused with 503; one that goes on waits a little, then fails."),
    )
    export_downloads_per_tenant: int = Field(
        2,
        ge=1,
        description="Exports of one tenant that are sent at once, in one process.",
        json_schema_extra=reached("One more is refused with 429 and `Retry-After`."),
    )
    export_pdfs: int = Field(
        2,
        ge=1,
        description="PDFs that one process sends at once, each drawn in a process of its own.",
        json_schema_extra=reached("One more waits; after `AUDITLANE_QUERY_TIMEOUT_S` it is refused with `503 BUSY`."),
    )
    export_pdfs_per_tenant: int = Field(
        1,
        ge=1,
        description="… of these of one tenant.",
        json_schema_extra=reached("One more is refused with 429 and `Retry-After`."),
    )
    export_pdf_memory_bytes: int = Field(
        1 << 30,
        ge=256 << 20,
        description="Memory of a process that draws a PDF.",
        json_schema_extra=reached("The PDF breaks off, a job fails with `QUERY_TOO_LARGE`."),
    )
    export_pdf_timeout_s: int = Field(
        300,
        ge=1,
        description="How long a PDF may be drawn.",
        json_schema_extra=reached("The PDF breaks off, a job fails with `QUERY_TOO_LARGE`."),
    )
    export_lease_s: float = Field(
        15.0, ge=1, description="How long a job's `serve` may be silent before another goes on with it."
    )
    export_font: File | None = Field(
        None, description="A TrueType or OpenType font for what DejaVu Sans lacks in a PDF, such as Chinese."
    )


class LocalSettings(BaseModel):
    data_dir: Path = Field(Path(".data/auditlane"), description="Where the embedded stack keeps everything.")
    cache_dir: Path | None = Field(None, description="Where downloads are kept; else the user's cache folder.")


class LogSettings(BaseModel):
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    log_json: bool | None = Field(None, description="JSON lines. Empty: when stderr is not a terminal.")


GROUPS: tuple[type[BaseModel], ...] = (
    KafkaSettings,
    RegistrySettings,
    ContractSettings,
    ClickHouseSettings,
    WorkerSettings,
    ServeSettings,
    OidcSettings,
    GatewaySettings,
    ExportSettings,
    LocalSettings,
    LogSettings,
)


class Settings(
    KafkaSettings,
    RegistrySettings,
    ContractSettings,
    ClickHouseSettings,
    WorkerSettings,
    ServeSettings,
    OidcSettings,
    GatewaySettings,
    ExportSettings,
    LocalSettings,
    LogSettings,
    BaseSettings,
):
    """All settings of one process, read once at start-up and passed on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)


def variable(field: str) -> str:
    """Return the name of a setting's environment variable."""
    return PREFIX + field.upper()


def load(**given: Any) -> Settings:
    """Read the settings from the environment; values of `given` (from command-line options) win unless they are None.

    Raises ConfigError that names every invalid variable.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [
            f"  {variable(str(problem['loc'][0]))}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False)
        ]
        raise ConfigError("The settings are not valid:\n" + "\n".join(lines)) from error
