"""Sends a client's events over HTTP to the gateway. `AuditClient` uses it if its option `url` is set."""
