"""Reads a tenant's log: the JSON API, its filters, cursors and SQL.

`router` has the routes of the list, `filters` parses a request's parameters, `sql` compiles the statement of a page,
`reader` runs it through `clickhouse`.
"""
