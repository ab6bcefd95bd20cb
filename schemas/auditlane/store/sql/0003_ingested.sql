-- Live streams ask every second for what was ingested of late: without an index they would read the whole column.
ALTER TABLE {database}.events ADD INDEX IF NOT EXISTS ingested ingested_at TYPE minmax GRANULARITY 1;
