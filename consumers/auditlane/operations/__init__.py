"""Operate the workers: lag, lost offsets, dead letters, replay and verification. Not on the path of events."""
