"""Streams new events of a tenant as server-sent events, as they are stored.

`hub` polls the store for all streams of a process, and `resume_token` creates the tokens with which clients resume.
"""
