"""Checks every part of an installation, embedded or not, and suggests fixes."""
