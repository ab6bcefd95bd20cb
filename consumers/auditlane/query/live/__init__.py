"""Streams a tenant's new events as they are stored, by server-sent events.

`hub` polls the store once for all streams of a process, `resume_token` makes the token that a client sends back to
resume.
"""
