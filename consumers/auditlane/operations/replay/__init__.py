"""Replays spans of a topic into the live table, another table or another topic, with a checkpoint."""
