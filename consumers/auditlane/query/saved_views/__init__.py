"""Saved views of a log. A view is a search, a time range, an order and columns under a name, for one person or a whole
tenant.
"""
