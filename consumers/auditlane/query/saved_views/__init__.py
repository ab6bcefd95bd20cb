"""Saved views of a log: a search, time range, order and columns under a name, for one person or for a whole tenant."""
