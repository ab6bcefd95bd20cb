"""The plan of the next write, stored in the metadata of Kafka's offset commit.

A commit of offset `a` with a range `[a, b]` means that everything below `a` is stored, and that `[a, b]` may be
partially stored. A commit without a range means that everything below the offset is stored. The topic's id
distinguishes a recreated topic from the earlier one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeGuard

VERSION = 1
MAX_BYTES = 4_095  # the brokers' default limit for metadata (`offset.metadata.max.bytes` is 4,096)
LONGEST_ERROR = 300  # maximum length in characters, of up to six bytes each


class UnknownIntent(ValueError):
    """Raised if the metadata of a worker's commit is unreadable: from another version, truncated or damaged."""


class OpenCircuit(NamedTuple):
    """Why the circuit breaker halted a partition: the most frequent reject code in the range, and the number of
    rejected messages.
    """

    code: str
    rejected: int


@dataclass(frozen=True, slots=True)
class Intent:
    """The plan of the next write, and what operators need to know about it.

    If nothing is pending, `first` and `last` are None and `digest` is empty. `at_ms` is the time of the commit by the
    writer's clock. `recheck_below` is set if the committed offset was reset manually or lost; ranges below it may have
    been attempted before. `failing_ms` and `error` tell operators when the range started to fail, and its last error.
    `circuit` is set if the circuit breaker halted the partition.
    """

    topic_id: str
    first: int | None = None
    last: int | None = None
    digest: str = ""
    at_ms: int = 0
    recheck_below: int = 0
    failing_ms: int = 0
    error: str = ""
    circuit: OpenCircuit | None = None

    @property
    def pending(self) -> bool:
        return self.first is not None

    def encode(self) -> str:
        """Return the commit metadata: JSON with sorted keys, about 150 bytes, and up to 2,000 more with an error."""
        plan: dict[str, object] = {"v": VERSION, "topic": self.topic_id, "at": self.at_ms}
        if self.pending:
            plan |= {"range": [self.first, self.last], "digest": self.digest}
        if self.recheck_below:
            plan["doubt"] = self.recheck_below
        if self.failing_ms:
            plan |= {"failing": self.failing_ms, "error": self.error[:LONGEST_ERROR]}
        if self.circuit:
            plan["circuit"] = list(self.circuit)
        return json.dumps(plan, sort_keys=True, separators=(",", ":"))


def decode(metadata: str | None) -> Intent | None:
    """Parse the intent in the metadata of a commit. Returns None if it contains no intent, as after a commit by another
    tool.

    Raises UnknownIntent if the metadata is from another version, truncated or damaged: an object with one of our member
    names, or text that starts like an object but is not JSON.
    """
    text = (metadata or "").strip()
    try:
        plan = json.loads(text)
    except (ValueError, RecursionError):
        if text.startswith("{"):
            raise UnknownIntent("it is truncated or damaged") from None
        return None
    if not isinstance(plan, dict) or _NAMES.isdisjoint(plan):
        return None
    version, topic = plan.get("v"), plan.get("topic")
    if not _is_count(version) or version != VERSION:
        raise UnknownIntent("it has no version" if version is None else f"version {str(version)[:40]}")
    at_ms, recheck_below, failing_ms = (plan.get(name, 0) for name in ("at", "doubt", "failing"))
    # Times may be negative, since clocks can be wrong.
    if not (isinstance(topic, str) and _is_whole(at_ms) and _is_whole(failing_ms) and _is_count(recheck_below)):
        raise UnknownIntent("its topic or one of its numbers is invalid")
    if "range" not in plan:
        return Intent(topic, at_ms=at_ms, recheck_below=recheck_below)
    match plan["range"], plan.get("digest"):
        case [first, last], str(digest) if digest and _is_count(first) and _is_count(last) and first <= last:
            error, circuit = str(plan.get("error") or ""), _circuit(plan.get("circuit"))
            return Intent(topic, first, last, digest, at_ms, recheck_below, failing_ms, error, circuit)
    raise UnknownIntent("its range or digest is invalid")


_NAMES: Final = frozenset({"v", "topic", "range", "digest", "doubt"})


def _circuit(value: object) -> OpenCircuit | None:
    """Return the note about the circuit breaker. Unreadable notes are ignored, since no decision depends on them."""
    match value:
        case [str(code), int(rejected)] if _is_count(rejected):
            return OpenCircuit(code, rejected)
    return None


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return _is_whole(value) and value >= 0
