"""Sends replayed events to their topics, and resolutions that close their letters.

A resolution is sent only after its event is acknowledged. If the process dies in between, the letter is still open, and
the next replay sends the event again. It has the same tenant, time and id, so readers see only one event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from auditlane.contract import provenance
from auditlane.contract.dead_letter import REPLAYS, State, resolution_headers
from auditlane.contract.librdkafka import client
from auditlane.contract.schema_guids import split_guid
from auditlane.operations.dlq.dry_run import DryRunResult, Found, NotReplayable
from auditlane.runtime.errors import KafkaUnavailable
from auditlane.runtime.failpoints import Failpoints

FLUSH_S: Final = 90.0
_REFUSED: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.INVALID_RECORD})


class ReplayProducer:
    """Sends replayed events and resolutions with these librdkafka `options`. Methods raise KafkaUnavailable."""

    def __init__(self, options: dict[str, Any], dead_letter_topic: str, failpoints: Failpoints) -> None:
        self._failpoints = failpoints
        self._producer: Producer = client(Producer, options | {"delivery.timeout.ms": 60_000, "log_level": 0})
        self._topic = dead_letter_topic

    def replay(self, ready: Sequence[DryRunResult]) -> list[DryRunResult]:
        """Send the events and close their letters.

        The results include the reason for each event that Kafka rejected.
        """
        results: list[DryRunResult | None] = [None] * len(ready)
        failures: list[KafkaError] = []

        def answered(index: int, error: KafkaError | None) -> None:
            if error is None:
                results[index] = ready[index]
            elif error.code() in _REFUSED:
                results[index] = replace(ready[index], value=None, code=NotReplayable.NOT_SENT, reason=error.str())
            else:
                failures.append(error)

        for index, result in enumerate(ready):
            self._produce(
                result.found.letter.topic,
                key=result.found.key,
                value=split_guid(result.value)[0],
                headers=_headers(result),
                on_delivery=lambda error, _message, index=index: answered(index, error),
            )
        self._producer.flush(FLUSH_S)
        self._failpoints.hit("before_resolution")
        self.resolve([one.found for one in results if one is not None and not one.code], State.replayed)
        self._failpoints.hit("after_resolution")
        if failures or None in results:
            raise _away(failures)
        return [one for one in results if one is not None]

    def resolve(self, letters: Iterable[Found], state: State, note: str = "") -> int:
        """Close letters and return their number. Each resolution has no value, and goes to the partition of its
        letter.
        """
        failures: list[KafkaError] = []
        acknowledged = count = 0

        def answered(error: KafkaError | None) -> None:
            nonlocal acknowledged
            acknowledged += error is None
            if error is not None:
                failures.append(error)

        for found in letters:
            count += 1
            self._produce(
                self._topic,
                partition=found.letter.place.partition,
                key=found.key,
                value=None,
                headers=resolution_headers(found.letter, state, note),
                on_delivery=lambda error, _message: answered(error),
            )
        self._producer.flush(FLUSH_S)
        if failures or acknowledged < count:
            raise _away(failures)
        return count

    def _produce(self, topic: str, **message: Any) -> None:
        while True:
            try:
                self._producer.produce(topic, **message)
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise _away([error.args[0]]) from error
            else:
                return


def _headers(result: DryRunResult) -> list[tuple[str, bytes]]:
    made = [(REPLAYS, str(result.found.letter.identity).encode()), *split_guid(result.value)[1]]
    return made if result.signature is None else [*made, (provenance.HEADER, result.signature)]


def _away(failures: Sequence[KafkaError]) -> KafkaUnavailable:
    why = failures[0].str() if failures else "no acknowledgement in time"
    return KafkaUnavailable(
        f"Kafka did not acknowledge every message: {why}.",
        fix="Run the command again; resolved dead letters stay resolved.",
    )
