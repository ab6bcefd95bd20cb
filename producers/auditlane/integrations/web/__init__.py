"""Decides what to record for a web request, for both the ASGI and the WSGI middleware. Start with `recorder`."""
