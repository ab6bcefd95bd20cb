"""Imports events from files.

A source reads with bounded memory, a format converts items, and a run emits events and saves checkpoints.
"""
