"""The embedded stack: Kafka, the schema registry, ClickHouse, and the supervisor that keeps them running.

`stack` assembles it, and `services` defines how each service is run. `runtime.process_plan` makes the decisions, and
`supervisor` carries them out. `demo` generates the events of `up --demo`. The registry and the ClickHouse launcher
exist only for auditlane's clients and for development. Do not add features that no client needs.
"""
