"""Accepts events over HTTP. The body is streamed, each event is checked, and the response is sent once Kafka has
acknowledged the events.

`router` defines the routes, `sender` parses single events, and `request_batch` and `ingest_service` send a request's
events.
"""
