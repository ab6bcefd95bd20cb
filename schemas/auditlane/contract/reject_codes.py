"""Reasons why a worker rejects a message: stable codes, kept with the dead letter and listed in the docs."""

from __future__ import annotations

from enum import StrEnum


class RejectCode(StrEnum):
    """A reject code, as in the header `auditlane.error.code`. `meaning` is the sentence that explains it in the
    docs.
    """

    meaning: str

    def __new__(cls, code: str, meaning: str) -> RejectCode:
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    NOT_FRAMED = "NOT_FRAMED", "The value is empty or lacks Confluent's five-byte frame."
    SCHEMA_UNKNOWN = "SCHEMA_UNKNOWN", "The registry has no schema with this id."
    SCHEMA_NOT_TENANTS = "SCHEMA_NOT_TENANTS", "The schema is neither the tenant's own nor the base event's."
    AVRO_MALFORMED = "AVRO_MALFORMED", "The bytes are not a datum of their schema."
    KEY_MISSING = "KEY_MISSING", "The message has no key; the key is the tenant id."
    TENANT_MISMATCH = "TENANT_MISMATCH", "The event's tenant_id differs from the tenant of the message key or topic."
    TENANT_INVALID = "TENANT_INVALID", "The tenant id is not valid."
    EVENT_ID_INVALID = "EVENT_ID_INVALID", "event_id is not a UUID."
    OCCURRED_AT_OUT_OF_RANGE = (
        "OCCURRED_AT_OUT_OF_RANGE",
        "occurred_at is more than a day after the message's Kafka timestamp, or ten years before it.",
    )
    ACTION_EMPTY = "ACTION_EMPTY", "action is empty."
    IP_INVALID = "IP_INVALID", "ip is neither empty nor an IPv4 or IPv6 address."
    SOURCE_RESERVED = (
        "SOURCE_RESERVED",
        "source names auditlane itself as the sender, but the message lacks auditlane's signature.",
    )
    FIELD_RULE = "FIELD_RULE", "A field breaks a rule of the tenant's contract."
    TOO_LARGE = "TOO_LARGE", "The encoded event exceeds the size limit."
    NOT_JUDGED = "NOT_JUDGED", "Validation failed because of an error in auditlane itself, which the worker logs."
