"""Tests the Kafka ACLs that each component needs."""

from __future__ import annotations

from auditlane.contract.acls import COMPONENTS, Allowed, allowed, script

NAMES = {"topic": "t.events", "dead_letters": "t.dead", "group": "workers"}


def test_resources_have_the_names_of_the_settings():
    assert list(allowed("worker", **NAMES)) == [
        Allowed("topic", "t.events", ("Describe", "Read", "Write"), prefixed=True),
        Allowed("topic", "t.dead", ("Describe", "Write")),
        Allowed("group", "workers", ("Describe", "Read"), prefixed=True),
    ]


def test_only_the_workers_and_operators_join_the_group_and_a_producer_reads_nothing():
    given = {name: list(allowed(name, **NAMES)) for name in COMPONENTS}
    readers = {
        name for name, rights in given.items() for one in rights if one.kind == "group" if "Read" in one.operations
    }
    assert readers == {"init", "worker"}
    assert {operation for one in given["producer"] for operation in one.operations} == {"Describe", "Write"}


def test_the_script_has_a_command_for_each_resource():
    lines = script(**NAMES).splitlines()[1:]
    assert len(lines) == sum(len(list(allowed(name, **NAMES))) for name in COMPONENTS)
    assert lines[-1] == (
        "acls --allow-principal User:auditlane-producer --operation Describe --operation Write --topic t.events"
        " --resource-pattern-type prefixed"
    )
    assert any(line.endswith("--operation DescribeConfigs --cluster") for line in lines)
