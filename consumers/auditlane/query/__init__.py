"""Reads a tenant's log. The package contains the JSON API with its filters, cursors and SQL.

`router` defines the routes, `filters` parses query parameters, `sql` compiles the statement for a page, and `reader`
runs it through `clickhouse`.
"""
