"""Kafka ACLs of each auditlane component. Pure: nothing here connects to Kafka."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["topic", "group", "cluster"]
Place = Literal["events", "dead letters", "group", "cluster"]

CLUSTER: Final = "kafka-cluster"  # Kafka's name for the only resource of this kind
# By component: the operations, spelt as in kafka-acls, and where they apply. The event topics include dedicated topics.
# Every component except a producer also writes auditlane's own audit events.
_ACLS: Final[Mapping[str, tuple[tuple[Place, str], ...]]] = {
    # Runs init and operators' commands: doctor, verify, replay, dead letters.
    "init": (
        ("events", "Create Describe DescribeConfigs Read Write"),
        ("dead letters", "Create Describe DescribeConfigs Read Write"),
        ("group", "Describe Read"),
        ("cluster", "Describe DescribeConfigs"),
    ),
    "worker": (("events", "Describe Read Write"), ("dead letters", "Describe Write"), ("group", "Describe Read")),
    # The console closes dead letters.
    "serve": (("events", "Describe Read Write"), ("dead letters", "Describe Read Write"), ("group", "Describe")),
    "producer": (("events", "Describe Write"),),
}
COMPONENTS: Final = tuple(_ACLS)


@dataclass(frozen=True, slots=True)
class Allowed:
    """A component's access to a Kafka resource. `operations` has values such as `Read`.

    If `prefixed`, it applies to every resource whose name starts with `name`.
    """

    kind: Kind
    name: str
    operations: tuple[str, ...]
    prefixed: bool = False


def allowed(component: str, *, topic: str, dead_letters: str, group: str) -> Iterator[Allowed]:
    """Yield a component's rights in Kafka, given the shared topic, the dead-letter topic and the workers' group."""
    resources: dict[Place, tuple[Kind, str, bool]] = {
        "events": ("topic", topic, True),
        "dead letters": ("topic", dead_letters, False),
        "group": ("group", group, True),
        "cluster": ("cluster", CLUSTER, False),
    }
    for place, operations in _ACLS[component]:
        kind, name, prefixed = resources[place]
        yield Allowed(kind, name, tuple(operations.split()), prefixed)


def script(*, topic: str, dead_letters: str, group: str) -> str:
    """Return a shell script that creates all components' ACLs, for users named `auditlane-…`."""
    lines = ['acls() { kafka-acls --bootstrap-server "$BROKER" --command-config admin.properties --add "$@"; }']
    for component in COMPONENTS:
        for one in allowed(component, topic=topic, dead_letters=dead_letters, group=group):
            operations = " ".join(f"--operation {operation}" for operation in one.operations)
            where = "--cluster" if one.kind == "cluster" else f"--{one.kind} {one.name}"
            pattern = " --resource-pattern-type prefixed" if one.prefixed else ""
            lines.append(f"acls --allow-principal User:auditlane-{component} {operations} {where}{pattern}")
    return "\n".join(lines) + "\n"
