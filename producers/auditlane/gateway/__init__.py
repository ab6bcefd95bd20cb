"""Accept events over HTTP: stream the body, check each event, and acknowledge it once Kafka has.

`router` defines the routes, `sender` parses one event, `request_batch` and `ingest_service` send a request's events.
"""
