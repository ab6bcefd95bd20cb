"""The ClickHouse side of the agreement: what writes and what reads use the same tables.

Numbered SQL in `sql/` makes and changes the tables (`migrate`, on a cluster `cluster_init`); a new column is a new
file. `event_insert` is the INSERT that adds nothing twice, `preflight` checks that the server keeps its promise,
`insert_failures` says what each error means. `presentation` and `structure_cache` are what readers see.
"""
