"""Emit from a file: readers per format, deterministic ids, a checkpoint to resume from."""
