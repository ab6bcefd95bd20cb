"""The embedded stack: Kafka, the schema registry, ClickHouse, and the supervisor that keeps them running.

`stack` puts it together, `services` says how each service is run, `runtime.process_plan` decides, `supervisor` does.
`demo` makes the events of `up --demo`. The registry and the ClickHouse launcher exist to serve our clients and
development: no feature without a client of ours that needs it.
"""
