"""The one HTTP app: `app` puts it together from the routers of each role, `run` serves it.

`problems` turns errors into answers; every request passes `middleware` and, for a credential, `auth`.
"""
