"""Reads a tenant's log: the JSON API, its filters, cursors and SQL.

`router` has the list's routes, `filters` and `parameters` read what is asked for, `sql` compiles the statement of a
page, `reader` runs it through `clickhouse`.
"""
