"""Streams a tenant's new events as they are stored, by server-sent events.

`hub` polls the store once for all streams of a process; `resume_token` creates the tokens with which clients resume.
"""
