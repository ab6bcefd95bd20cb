"""Replays spans of a topic: into the table, another table or another topic."""
