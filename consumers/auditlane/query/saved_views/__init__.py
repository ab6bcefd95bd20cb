"""Saved views of a log: named searches with a time range, an order and columns, for one person or a whole tenant."""
