"""The embedded stack: Kafka, the schema registry, ClickHouse, and the supervisor that keeps them running.

`stack` assembles it, `services` defines how each service is run, `runtime.process_plan` decides, `supervisor` acts.
`demo` makes the events of `up --demo`. The registry and the ClickHouse launcher exist to serve auditlane's clients and
development: add no feature that none of its clients needs.
"""
