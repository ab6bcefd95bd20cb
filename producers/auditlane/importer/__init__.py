"""Import events from files.

A source reads with bounded memory, a format converts items, a run emits and checkpoints.
"""
