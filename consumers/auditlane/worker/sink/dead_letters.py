"""Publishes rejected messages unchanged to the dead-letter topic, with their origin and the reason in headers.

Delivery is at least once. A range that is written again publishes its dead letters again, under the same identity
(topic id, partition, offset). Headers have Kafka Connect's names where such names exist, so that existing tools can
read them.

A dead letter that exceeds Kafka's size limit is truncated, since one message must not halt its partition.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer

from auditlane.contract import provenance
from auditlane.contract.dead_letter import CUT_BYTES, CUT_SHA256, RawHeaders
from auditlane.contract.reject_codes import RejectCode
from auditlane.contract.schema_guids import split_guid
from auditlane.runtime import log
from auditlane.runtime.remedy import Failure, Remedy
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.validation.batch import Rejection

_CONNECT: Final = "__connect.errors."
_OURS: Final = "auditlane."
# Kafka Connect's names for the step that failed.
_STAGES: Final = {
    RejectCode.KEY_MISSING: "KEY_CONVERTER",
    RejectCode.TENANT_INVALID: "KEY_CONVERTER",
    RejectCode.NOT_FRAMED: "VALUE_CONVERTER",
    RejectCode.SCHEMA_UNKNOWN: "VALUE_CONVERTER",
    RejectCode.AVRO_MALFORMED: "VALUE_CONVERTER",
    RejectCode.TOO_LARGE: "VALUE_CONVERTER",
}
# maximum length in characters: the reason may quote a schema, and the dead letter must fit its topic
_LONGEST_MESSAGE: Final = 2_000
_LONGEST_SIGNATURE: Final = 1_024  # maximum length in bytes; auditlane's own signatures take about 200
_EXCEPTION: Final = "auditlane.worker.validation.batch.Rejection"
_TOO_LARGE: Final = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.RECORD_LIST_TOO_LARGE}
)
# How many bytes of the value are kept in each attempt to send a dead letter alone, after its batch was too large. None
# keeps all.
_KEPT: Final = (None, 65_536, 0)
_KEPT_OF_KEY: Final = 1_024  # number of bytes kept of a truncated dead letter's key


class DlqPublishFailed(Exception):
    """A dead letter was not acknowledged. `failure` describes what this means for the range."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def headers(range_: Range, rejection: Rejection, *, task: str) -> list[tuple[str, str | bytes | None]]:
    """Return the headers of a dead letter: its origin and reason as text, and two of the message's own headers,
    unchanged.

    Those two, the signature and the schema's GUID, are needed to validate the value again.
    """
    index = rejection.index
    values: dict[str, object] = {
        f"{_CONNECT}topic": range_.partition.topic,
        f"{_CONNECT}partition": range_.partition.number,
        f"{_CONNECT}offset": range_.columns.offsets[index],
        f"{_CONNECT}stage": _STAGES.get(rejection.code, "TRANSFORMATION"),
        f"{_CONNECT}exception.class.name": _EXCEPTION,
        f"{_CONNECT}exception.message": rejection.message[:_LONGEST_MESSAGE],
        f"{_CONNECT}task.id": task,
        f"{_OURS}error.code": rejection.code.value,
        f"{_OURS}tenant": rejection.tenant,
        f"{_OURS}schema.id": rejection.schema_id,
        f"{_OURS}attempt": 2 if range_.redo else 1,
        f"{_OURS}topic.id": range_.topic_id,
        f"{_OURS}kafka.timestamp": range_.columns.timestamps_ms[index],
    }
    made: list[tuple[str, str | bytes | None]] = [
        (name, str(value).encode(errors="replace")) for name, value in values.items() if value is not None
    ]
    made += split_guid(range_.columns.values[index])[1]
    signature = range_.columns.signatures[index]
    signed = signature is not None and len(signature) <= _LONGEST_SIGNATURE
    return [*made, (provenance.HEADER, signature)] if signed else made


def truncated(key: bytes | None, value: bytes | None, kept: int) -> tuple[bytes | None, bytes | None, RawHeaders]:
    """Return the start of a message's key and value, and headers with the size and digest of the complete value.
    Pure.
    """
    whole = value or b""
    original = [(CUT_BYTES, str(len(whole)).encode()), (CUT_SHA256, hashlib.sha256(whole).hexdigest().encode())]
    return key and key[:_KEPT_OF_KEY], None if value is None else value[:kept], original


class DeadLetters:
    """Produces dead letters to one topic. Thread-safe. Each thread waits only for its own acknowledgements."""

    def __init__(self, producer: Producer, topic: str, *, task: str, timeout_s: float = 60.0) -> None:
        self._producer = producer
        self._topic = topic
        self._task = task
        self._timeout_s = timeout_s
        self._alone = threading.Lock()

    def publish(self, range_: Range, rejections: Sequence[Rejection]) -> None:
        """Produce every rejected message. Returns when all of them are acknowledged. Raises DlqPublishFailed."""
        deadline = time.monotonic() + self._timeout_s
        errors = self._produced(range_, rejections, None, deadline)
        for rejection, error in zip(rejections, errors, strict=True):
            if error is not None and error.code() in _TOO_LARGE:
                with self._alone:
                    self._publish_alone(range_, rejection)
            elif error is not None:
                raise DlqPublishFailed(self._failure(error))

    def _publish_alone(self, range_: Range, rejection: Rejection) -> None:
        """Send a dead letter that was too large in its batch, on its own.

        It is first sent complete, since perhaps only the batch was too large, and then with less and less of its value.
        """
        for kept in _KEPT:
            [error] = self._produced(range_, [rejection], kept, time.monotonic() + self._timeout_s)
            if error is None:
                if kept is not None:
                    log.get("worker").warning(
                        "dead_letter.cut_off", reason="larger than the topic accepts",
                        **log.position(range_.partition, range_.columns.offsets[rejection.index]),
                    )  # fmt: skip
                return
            failure = self._failure(error)
            if failure.remedy is not Remedy.halt:
                break
        raise DlqPublishFailed(failure)

    def _produced(
        self, range_: Range, rejections: Sequence[Rejection], kept: int | None, deadline: float
    ) -> list[KafkaError | None]:
        """Return Kafka's error for each message, or None for acknowledged messages.

        Raises DlqPublishFailed if a response does not arrive in time.
        """
        answers: dict[int, KafkaError | None] = {}
        for place, rejection in enumerate(rejections):
            self._produce(range_, rejection, kept, partial(answers.__setitem__, place), deadline)
        while len(answers) < len(rejections):
            if time.monotonic() > deadline:
                raise DlqPublishFailed(Failure(Remedy.retry, "dead letters were not acknowledged in time"))
            self._producer.poll(0.05)
        return [answers[place] for place in range(len(rejections))]

    def _produce(
        self,
        range_: Range,
        rejection: Rejection,
        kept: int | None,
        answered: Callable[[KafkaError | None], None],
        deadline: float,
    ) -> None:
        key, value = range_.columns.keys[rejection.index], split_guid(range_.columns.values[rejection.index])[0]
        headers_ = headers(range_, rejection, task=self._task)
        if kept is not None:
            key, value, more = truncated(key, value, kept)
            headers_ = [*headers_, *more]
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    key=key,
                    value=value,
                    headers=headers_,
                    on_delivery=lambda error, _message: answered(error),
                )
            except BufferError:
                if time.monotonic() > deadline:
                    raise DlqPublishFailed(Failure(Remedy.retry, "the producer's queue stayed full")) from None
                self._producer.poll(0.05)
            except KafkaException as error:
                answered(error.args[0])
                return
            else:
                return

    def _failure(self, error: KafkaError) -> Failure:
        if error.code() in _TOO_LARGE:
            why = f"{self._topic} rejects even a dead letter without its value ({error.str()}); raise max.message.bytes"
            return Failure(Remedy.halt, why, error.name())
        return Failure(Remedy.retry, f"{self._topic}: {error.str()}", error.name())
