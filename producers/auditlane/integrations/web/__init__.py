"""Decide what is recorded for a web request. The ASGI and the WSGI middleware share it. Begin with `recorder`."""
