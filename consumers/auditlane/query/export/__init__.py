"""Exports a tenant's log as a file: CSV, Excel, JSON Lines, OCSF, Parquet or PDF, immediately or as a job."""
