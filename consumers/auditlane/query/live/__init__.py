"""Streams a tenant's new events as server-sent events, as they are stored.

`hub` polls the store once for all streams of a process, and `resume_token` creates the tokens with which clients
resume.
"""
