"""Import events from files: a source reads with bounded memory, a format converts, a run emits and checkpoints."""
