"""The operators' tools for lag, offsets, accepted losses, dead letters, replay and verification.

Nothing here is on the path of events. The command line, the doctor and the server's administration use this package. It
imports only `validation` from the worker.
"""
