"""Decide what a web request records: shared by the ASGI and the WSGI middleware. Begin with `recorder`."""
