"""Exports a tenant's log as a CSV, Excel, JSON Lines, OCSF, Parquet or PDF file, immediately or as a job."""
