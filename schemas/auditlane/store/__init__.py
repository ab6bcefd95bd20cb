"""The ClickHouse side of the agreement. Writers and readers share the same tables.

Numbered SQL files in `sql/` create and change the tables (`migrate`, or `cluster_init` on a cluster). A new column is a
new file. `event_insert` is the INSERT that never adds a row twice, `preflight` checks that the server supports this,
`partitioning` describes the partitions of `events`, and `insert_failures` classifies errors. `presentation` and
`structure_cache` contain the data structure that readers see.
"""
