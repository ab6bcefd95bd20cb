"""Accepts events over HTTP. The body is streamed, each event is checked, and the response is sent once Kafka has
acknowledged the events.

`router` defines the routes, `sender` parses single events, `request_batch` and `ingest_service` send a request's
events, and `hand_over` checks them and hands them to the client.
"""
