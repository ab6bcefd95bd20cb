"""Exports a tenant's log as a file: CSV, JSON Lines, OCSF, Parquet or PDF, immediately or as a job."""
