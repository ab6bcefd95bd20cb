"""Takes events over HTTP: reads a body piece by piece, checks each event, and acknowledges it once Kafka has it.

`router` has the routes, `sender` reads one event, `request_batch` and `ingest_service` send a request's events.
"""
