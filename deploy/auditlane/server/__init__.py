"""The HTTP service. `app` assembles it from the routers of each role, and `run` serves it.

`problems` turns errors into responses. Every request passes through `middleware`, and through `auth` if it needs a
credential.
"""
