"""Streams a tenant's new events as server-sent events, as they are stored.

`hub` polls the store for all of a process's streams, and `resume_token` creates the tokens that let clients resume.
"""
