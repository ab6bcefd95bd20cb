"""Tools for operators: lag, offsets, accepted losses, dead letters, replay and verification.

Nothing here is on the path of events. The command line, the doctor and the server's administration use it; from the
worker, it imports only `validation`.
"""
