"""Refused messages go to the dead-letter topic as they were, with headers that say where from and why.

At least once: a range that is written again buries its messages again, under the same identity (topic id, partition,
offset). Header names are Kafka Connect's where it has one, so that existing tools read them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from auditlane.contract import provenance
from auditlane.contract.codes import RejectCode
from auditlane.contract.librdkafka import PRODUCER
from auditlane.worker.actions import Failure, Remedy
from auditlane.worker.guids import parted
from auditlane.worker.judge import Rejection
from auditlane.worker.ranges import Range

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
_LONGEST_MESSAGE: Final = 2_000  # characters: a letter must fit its topic, whatever its schema's text is said to lack
_EXCEPTION: Final = "auditlane.worker.judge.Rejection"
_HOPELESS: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE})


class NotBuried(Exception):
    """At least one dead letter was not acknowledged; `failure` says what that means for the range."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def headers(range_: Range, rejection: Rejection, *, task: str) -> list[tuple[str, str | bytes | None]]:
    """The headers of one dead letter, all of them text, and as they were those of the message that its value needs: its
    signature, the GUID of its schema."""
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
    made += parted(range_.columns.values[index])[1]
    signature = range_.columns.signatures[index]
    return made if signature is None else [*made, (provenance.HEADER, signature)]


def producer_config(client: dict[str, Any]) -> dict[str, Any]:
    """`client` with what an acknowledged dead letter needs: it may be as large as whatever was consumed."""
    return client | {
        **PRODUCER,
        "linger.ms": 5,
        "compression.type": "lz4",
        "message.max.bytes": 1_000_000_000,
    }


class DeadLetters:
    """Produces to one topic. Usable from several threads, each waiting for its own acknowledgements only."""

    def __init__(self, producer: Producer, topic: str, *, task: str, timeout_s: float = 60.0) -> None:
        self._producer = producer
        self._topic = topic
        self._task = task
        self._timeout_s = timeout_s

    def bury(self, range_: Range, rejections: Sequence[Rejection]) -> None:
        """Produce every rejected message and return when each is acknowledged. Raises NotBuried."""
        answers: list[KafkaError | None] = []
        deadline = time.monotonic() + self._timeout_s
        for rejection in rejections:
            self._produce(range_, rejection, answers, deadline)
        while len(answers) < len(rejections):
            if time.monotonic() > deadline:
                raise NotBuried(Failure(Remedy.retry, "dead letters were not acknowledged in time"))
            self._producer.poll(0.05)
        errors = [error for error in answers if error is not None]
        if errors:
            raise NotBuried(self._failure(errors[0]))

    def _produce(self, range_: Range, rejection: Rejection, answers: list[KafkaError | None], deadline: float) -> None:
        columns, index = range_.columns, rejection.index
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    key=columns.keys[index],
                    value=parted(columns.values[index])[0],
                    headers=headers(range_, rejection, task=self._task),
                    on_delivery=lambda error, _message: answers.append(error),
                )
            except BufferError:
                if time.monotonic() > deadline:
                    raise NotBuried(Failure(Remedy.retry, "no room to produce dead letters")) from None
                self._producer.poll(0.05)
            except KafkaException as error:
                raise NotBuried(self._failure(error.args[0])) from error
            else:
                return

    def _failure(self, error: KafkaError) -> Failure:
        if error.code() in _HOPELESS:
            return Failure(Remedy.halt, f"{self._topic} refuses a dead letter ({error.str()}); raise max.message.bytes")
        return Failure(Remedy.retry, f"{self._topic}: {error.str()}")
