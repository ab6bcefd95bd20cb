"""The embedded stack. It consists of Kafka, the schema registry, ClickHouse, and the supervisor that keeps them
running.

`stack` assembles it, and `services` defines how each service is run. `runtime.process_plan` decides, and `supervisor`
acts. `demo` makes the events of `up --demo`. The registry and the ClickHouse launcher exist only for auditlane's
clients and for development. Do not add a feature that no client needs.
"""
