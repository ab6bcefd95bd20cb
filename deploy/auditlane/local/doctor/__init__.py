"""Reaches every part, embedded or not, and says what to fix."""
