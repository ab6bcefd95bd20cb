"""Exports a tenant's log as a file: CSV, JSON Lines, OCSF, Parquet or PDF, at once or as a job."""
