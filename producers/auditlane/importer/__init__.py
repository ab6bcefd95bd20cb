"""Turns files into events: a source reads with bounded memory, a format maps, one run emits and keeps a checkpoint."""
