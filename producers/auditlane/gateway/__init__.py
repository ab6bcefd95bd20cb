"""Accept events over HTTP. The body is streamed, each event is checked, and the request is acknowledged once Kafka has
acknowledged its events.

`router` defines the routes, `sender` parses one event, and `request_batch` and `ingest_service` send a request's
events.
"""
