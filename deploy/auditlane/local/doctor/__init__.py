"""Reach every part, embedded or not, and say what to fix."""
